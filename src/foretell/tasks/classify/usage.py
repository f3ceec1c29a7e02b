"""How a classifier's graph is used with onnxruntime alone: the page beside it, whose example works as it is printed."""

from ...data.vocabulary import MARK, TAG, WORD, Vocabulary
from ...nn.embedding import FACTOR
from .graph import Layout, Part, longest_of, parts_with_ngrams
from .learned import LearnedClassifier
from .models import LinearModel, NetworkModel

_PAGE = """# Classifier in ONNX

`model.onnx` is the rung `{rung}`, which says {says} {labels}. Tokens go in, probabilities come out, computed by
onnxruntime alone; any number of texts goes in at once (batch), and a text gives the same alone and among others.

| input | type and shape | what it is |
| --- | --- | --- |
{inputs}

| output | type and shape | what it is |
| --- | --- | --- |
| `probabilities` | float64 (batch, {count}) | of each label, in this order: {labels} |

`vocabulary.json` says what texts are cut into ({kind}) and the number of each piece, its place in `tokens`; 0 fills
texts up behind their end, 1 is whatever is unknown. The temperature ({temperature:.4g}) is inside the graph.

```python
{snippet}
```

What the model is, its data, errors and limits: the model card in the model folder's `README.md`. Labels and lengths
stand in the metadata of `model.onnx` as well (`session.get_modelmeta().custom_metadata_map`).
"""
_HASHES = '''
def hashes(tokens, longest):
    """For each n a hash of the n-gram that ends at each place; zero where there is none, or a token is unknown."""
    known = whole = tokens > 1
    found, own = [np.where(known, tokens, 0)], tokens
    for _ in range(longest - 1):
        before = np.pad(own, ((0, 0), (1, 0)))[:, :-1]
        own = (before ^ (before >> 29)) * {factor:#x} + tokens
        whole = np.pad(whole, ((0, 0), (1, 0)))[:, :-1] & known
        found.append(np.where(whole, own, 0))
    return found


def places(table, keys):
    """Where n-grams stand in a table of hashes, and whether they do."""
    found = np.searchsorted(table, keys).clip(max=len(table) - 1)
    return found, (table[found] == keys) & (keys != 0)

'''
_ROWS = '''
def rows(texts, table, longest, tokens, length):
    """The numbers of the vectors at each place: a token's own, then those of the n-grams that end there."""
    read, _ = filled([cut(own, length) for own in texts])
    read[read >= tokens] = 1
    found = [read]
    for keys in hashes(read, longest)[1:]:
        place, there = places(table, keys)
        found.append(np.where(there, tokens + place, 0))
    return np.stack(found, 1)

'''
_ENTRIES = '''
def entries(texts, table, longest):
    """Each n-gram of a text that is known, once, and how often it occurs; filled up with the table's length."""
    found = []
    for own in texts:
        keys = np.concatenate(hashes(np.array([own], np.int64), longest), axis=None)
        keys, counts = np.unique(keys[keys != 0], return_counts=True)
        place, there = places(table, keys)
        found.append((place[there], counts[there]))
    width = max(1, *(len(place) for place, _ in found))
    columns, counts = np.full((len(found), width), len(table)), np.zeros((len(found), width))
    for row, (place, often) in enumerate(found):
        columns[row, :len(place)], counts[row, :len(place)] = place, often
    return columns, counts

'''
_FILLED = '''
def filled(texts):
    """Numbers of tokens, filled up behind the end of each text, and how many each text has."""
    lengths = np.array([len(own) for own in texts])
    tokens = np.zeros((len(texts), lengths.max()), np.int64)
    for row, own in enumerate(texts):
        tokens[row, :len(own)] = own
    return tokens, lengths

'''


def usage(fitted: LearnedClassifier, layout: Layout) -> str:
    """The page, in Markdown.

    Args:
        fitted: The classifier.
        layout: What its graph reads.
    """
    return _PAGE.format(
        rung=fitted.rung,
        says="which of" if fitted.exclusive else "which (any) of",
        labels=", ".join(f"`{label}`" for label in fitted.labels),
        inputs="\n".join(f"| `{name}` | {kind} | {what} |" for name, kind, what in _inputs(layout)),
        count=len(fitted.labels),
        kind=fitted.vocabulary.kind,
        temperature=fitted.temperature,
        snippet=_snippet(fitted, layout),
    )


def _inputs(layout: Layout) -> list[tuple[str, str, str]]:
    rows = []
    if any(part.reads_tokens for part in layout.parts):
        most = f"at most {layout.length}: the {'last' if layout.front else 'first'} ones of a longer text"
        rows.append(("tokens", "int64 (batch, place)", f"the numbers of a text's tokens, {most}"))
    if layout.length:
        rows.append(
            ("lengths", "int64 (batch)", "how many tokens each text has, 1 or more (an empty text is one unknown)")
        )
    for part, _ in parts_with_ngrams(layout):
        if isinstance(part.model, NetworkModel):
            longest = longest_of(part)
            what = f"the vectors of tokens and of n-grams up to {longest}, as `rows` below finds them"
            rows.append((f"rows{part.ending}", f"int64 (batch, {longest}, place)", what))
        else:
            what = "the known n-grams of a text, each once, as `entries` below finds them"
            rows.append((f"columns{part.ending}", "int64 (batch, entry)", what))
            if part.model.linear.kind == "tfidf":
                rows.append((f"counts{part.ending}", "float64 (batch, entry)", "how often each of them occurs"))
    return rows


def _snippet(fitted: LearnedClassifier, layout: Layout) -> str:
    """An example that runs."""
    bpe = fitted.vocabulary.kind == "bpe"
    parts = [
        "import json\nimport re\nimport unicodedata\n\nimport numpy as np\nimport onnxruntime\n\n"
        'with open("vocabulary.json", encoding="utf-8") as file:\n    vocabulary = json.load(file)\n'
        'number = {token: place for place, token in enumerate(vocabulary["tokens"])}\n'
        + ('rank = {tuple(pair): place for place, pair in enumerate(vocabulary["merges"])}\n' if bpe else ""),
        _cutting(fitted.vocabulary),
    ]
    networks, ngrams = bool(layout.length), list(parts_with_ngrams(layout))
    if networks:
        end = "own[-length:]" if layout.front else "own[:length]"
        told = '    """What is read of a text; something stands in for one without tokens."""'
        parts.append(f"\ndef cut(own, length):\n{told}\n    return {end} or [1]\n\n")
        parts.append(_FILLED)
    if ngrams:
        parts.append(_HASHES.format(factor=FACTOR))
    if any(isinstance(part.model, NetworkModel) for part, _ in ngrams):
        parts.append(_ROWS)
    if any(isinstance(part.model, LinearModel) for part, _ in ngrams):
        parts.append(_ENTRIES)
    lines = ['texts = [numbers("a text"), numbers("another one, longer than that")]', "inputs = {}"]
    if networks:
        lines.append(f'tokens, inputs["lengths"] = filled([cut(own, {layout.length}) for own in texts])')
    if any(part.reads_tokens for part in layout.parts):
        lines.append('inputs["tokens"] = tokens')
    for part, _ in ngrams:
        lines += _reading(part)
    labels = list(fitted.labels)
    lines += [
        'session = onnxruntime.InferenceSession("model.onnx")',
        "(probabilities,) = session.run(None, inputs)",
        f"labels = {labels!r}",
        "for own in probabilities:",
        "    print(dict(zip(labels, own.round(4).tolist())))",
    ]
    return "".join(parts) + "\n" + "\n".join(lines)


def _reading(part: Part) -> list[str]:
    """Lines that read a model's n-grams."""
    lines = [f'table = np.load("{part.table}")']
    if isinstance(part.model, NetworkModel):
        reader = part.model.reader
        named = f"{longest_of(part)}, {reader.tokens}, {reader.length}"
        return [*lines, f'inputs["rows{part.ending}"] = rows(texts, table, {named})']
    linear = part.model.linear
    lines.append(f'inputs["columns{part.ending}"], counts = entries(texts, table, {linear.ngrams})')
    return [*lines, f'inputs["counts{part.ending}"] = counts'] if linear.kind == "tfidf" else lines


def _cutting(vocabulary: Vocabulary) -> str:
    """A function that makes numbers of a text, as this vocabulary does."""
    lines = ['    text = unicodedata.normalize("NFC", text)']
    if vocabulary.kind != "characters":
        lines.append(f'    text = re.sub(r"{TAG}", " ", text)')
    if vocabulary.lowercase:
        lines.append('    text = "".join(letter.lower() for letter in text)')
    if vocabulary.kind == "words":
        pattern = (f"{WORD}|{MARK}" if vocabulary.punctuation else WORD).replace("\\w", "w")
        # Python's own letters leave out marks that stand on letters, as vowels of many scripts do.
        lines += [
            "    kinds = ((letter, unicodedata.category(letter)) for letter in text)",
            '    numeric, marks = ("Nd", "Nl", "Pc"), "\\u00b2\\u00b3\\u00b9\\u00bc\\u00bd\\u00be"',
            '    inside = [kind[0] in "LM" or kind in numeric or letter in marks for letter, kind in kinds]',
            '    shape = "".join("w" if own else letter for own, letter in zip(inside, text))',
            f'    pieces = [text[slice(*found.span())] for found in re.finditer(r"{pattern}", shape)]',
            "    return [number.get(piece, 1) for piece in pieces]",
        ]
    elif vocabulary.kind == "characters":
        lines.append("    return [number.get(piece, 1) for piece in text]")
    else:
        lines += [
            '    text = text.replace(" ", "\\u2581")',
            '    text = text if text[:1] in ("", "\\u2581") else "\\u2581" + text',
            '    return [found for word in re.findall("\\u2581[^\\u2581]*", text) for found in merged(list(word))]',
        ]
    told = '    """The numbers of a text\'s tokens."""\n'
    return ("" if vocabulary.kind != "bpe" else _MERGED) + "\n\ndef numbers(text):\n" + told + "\n".join(lines) + "\n\n"


_MERGED = '''

def merged(pieces):
    """The numbers of a word's pieces: the pair that was learned first becomes one, until none is left."""
    while len(pieces) > 1:
        first = min(range(len(pieces) - 1), key=lambda place: rank.get((pieces[place], pieces[place + 1]), len(rank)))
        if (pieces[first], pieces[first + 1]) not in rank:
            break
        pieces[first : first + 2] = [pieces[first] + pieces[first + 1]]
    return [number.get(piece, 1) for piece in pieces]
'''
