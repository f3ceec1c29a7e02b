"""``foretell generate RUN --prompt TEXT``, and with ``--score FILE`` how well a model foresees a text."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..tasks.generate.config import WritingSection
from .options import options_of, runs_dir_option
from .origin import model_of
from .output import colours_welcome, columns, output_options, print_json, tell, warnings_told

if TYPE_CHECKING:
    from ..predictor import Predictor
    from ..tasks.generate.learned import LearnedGenerator
    from ..tasks.generate.writing import Text

_SHADES = (196, 208, 220, 149, 40)  # of a terminal's 256 colours, from surprising to foreseen


@click.command("generate")
@click.argument("run", metavar="RUN")
@click.option("--prompt", "-p", multiple=True, help="What a text begins with; several make as many texts.")
@click.option("--prompts", metavar="FILE", help="File of prompts, one a line; - is standard input.")
@click.option("--n", "count", type=click.IntRange(1, 10_000), help="Texts of each prompt (1 when not named).")
@options_of(WritingSection)
@click.option("--next", "following", type=click.IntRange(1, 1000), help="Show so many of the likeliest continuations.")
@click.option("--next-length", type=click.IntRange(1, 50), help="Tokens of these continuations (1 when not named).")
@click.option("--score", "scored", metavar="FILE", help="Write nothing: bits per character of FILE under the model.")
@click.option("--text", help="Column with the texts, where --score names a table (found when not named).")
@click.option("--encoding", help="How --prompts or --score are encoded: utf-8, latin-1, cp1252 ...")
@click.option("--show-probabilities", "watched", is_flag=True, help="Show how likely each token was, and how open.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write: .txt, .json or .jsonl.")
@click.option("--page", type=click.Path(path_type=Path), help="An HTML page of the texts, shaded by probability.")
@runs_dir_option
@output_options
def command(
    run: str,
    prompt: tuple[str, ...],
    prompts: str | None,
    count: int | None,
    following: int | None,
    next_length: int | None,
    scored: str | None,
    text: str | None,
    encoding: str | None,
    watched: bool,
    output: Path | None,
    page: Path | None,
    runs_dir: Path,
    as_json: bool,
    quiet: bool,
    no_color: bool,
    **options: Any,
) -> None:
    """Write on from a prompt with the model of RUN; without one a text begins."""
    from ..errors import UsageError
    from ..tasks.generate.learned import LearnedGenerator
    from ..tasks.generate.writing import writing_section

    named = {name: value for name, value in options.items() if value not in (None, ())}
    given = {
        **dict.fromkeys((f"--{name.replace('_', '-')}" for name in named), True),
        "--prompt": prompt,
        "--prompts": prompts,
        "--n": count,
        "--next": following,
        "--next-length": next_length,
        "--score": scored,
        "--text": text,
        "--show-probabilities": watched,
        "--output": output,
        "--page": page,
    }
    _require_meaning({name for name, value in given.items() if value})
    if output is not None and output.suffix not in (".txt", ".json", ".jsonl"):
        raise UsageError(f'--output ends in .txt, .json, .jsonl; found "{output.name}"')
    if page is not None and page.suffix.lower() != ".html":
        raise UsageError(f'--page ends in .html; found "{page.name}"')
    predictor, learned = model_of(run, runs_dir, LearnedGenerator, "writes")
    if scored is not None:
        _score(learned, scored, {"text": text, "encoding": encoding}, page, as_json, quiet)
        return
    section = writing_section(named, os.environ)
    begun = [*prompt, *(_lines(prompts, encoding or learned.encoding) if prompts else [])] or [""]
    with learned.writer.threads():
        if following is not None:
            _show_next(learned, begun, following, next_length or 1, section, as_json)
            return
        asked = [own for own in begun for _ in range(count or 1)]
        watch, plain = watched or page is not None, not (as_json or output or watched)
        if plain and len(asked) == 1:
            texts = [_streamed(learned, asked[0], section, watch)]
        elif section.beam is not None:
            if (count or 1) > section.beam:
                raise UsageError(f"--beam {section.beam} finds as many texts; --n asks for {count}")
            found = [learned.writer.likeliest(own, section.beam, section.length, section) for own in begun]
            texts = [own for each in found for own in each[: count or 1]]
        else:
            texts = learned.writer.write(asked, section, watch=watch)
    if output is not None:
        _write(texts, output)
        tell(f"{len(texts)} texts in {output}", quiet=quiet or as_json)
    if page is not None:
        _write_page(predictor, learned, texts, page)
        tell(f"page: {page}", quiet=quiet or as_json)
    if as_json:
        print_json({"task": predictor.task, "rung": learned.rung, "texts": [_document(own) for own in texts]})
    elif watched:
        for own in texts:
            _print_watched(own)
    elif plain and len(asked) > 1:
        for number, own in enumerate(texts, 1):
            click.echo(f"[{number}] {own.prompt}{own.text}")


_SCORING = {"--score", "--text", "--encoding", "--page"}
_FOLLOWING = {"--next", "--next-length", "--prompt", "--prompts", "--on-unknown", "--encoding"}
_BEAM = {"--show-probabilities", "--page"}


def _require_meaning(named: set[str]) -> None:
    """Checks that all that was named has a part in what is asked for.

    Raises:
        UsageError: Something has none.
    """
    from ..errors import UsageError

    for option, alone in (("--score", _SCORING), ("--next", _FOLLOWING)):
        if option in named and named - alone:
            raise UsageError(f"{option} has no use for {', '.join(sorted(named - alone))}; leave that away")
    for option, needed in (("--next-length", "--next"), ("--text", "--score")):
        if option in named and needed not in named:
            raise UsageError(f"{option} goes with {needed}")
    if "--beam" in named and named & _BEAM:
        raise UsageError(f"--beam looks at whole texts; leave {', '.join(sorted(named & _BEAM))} away")


def _lines(source: str, encoding: str) -> list[str]:
    """The lines of a file of prompts."""
    from ..config import CorpusSection
    from ..data.documents import read_corpus

    text = read_corpus(source, CorpusSection(encoding=encoding)).text
    return text.removesuffix("\n").split("\n")


def _streamed(learned: "LearnedGenerator", prompt: str, section: WritingSection, watch: bool) -> "Text":
    """Prints a text as it is written."""
    from ..tasks.generate.writing import Text

    learned.writer.encoded(prompt, section)  # what is wrong with a prompt is said before any of it is shown
    text = Text(prompt)
    click.echo(prompt, nl=False)
    for piece in learned.writer.stream(text, section, watch=watch):
        click.echo(piece, nl=False)
    click.echo()
    return text


def _document(text: "Text") -> dict[str, Any]:
    document: dict[str, Any] = {"prompt": text.prompt, "text": text.text, "tokens": len(text.tokens)}
    if text.stopped is not None:
        document["stopped"] = text.stopped
    if text.entropies:
        document["pieces"] = [
            {"token": piece, "probability": 2**-bits, "entropy": open_}
            for piece, bits, open_ in zip(text.pieces, text.bits, text.entropies, strict=True)
        ]
    elif text.bits:
        document["bits"] = sum(text.bits)
    return document


def _print_watched(text: "Text") -> None:
    """A text in colours that tell how likely each token was; where there are none, a row for each token."""
    if sys.stdout.isatty() and colours_welcome():
        shades = [_SHADES[min(4, int(5 * 2**-bits))] for bits in text.bits]
        shown = "".join(click.style(piece, fg=shade) for piece, shade in zip(text.pieces, shades, strict=True))
        click.echo(f"{text.prompt}{shown}")
        legend = " ".join(
            click.style(f"{20 * number}-{20 * number + 20} %", fg=own) for number, own in enumerate(_SHADES)
        )
        entropy = sum(text.entropies) / max(1, len(text.entropies))
        click.echo(f"probability: {legend}; entropy: {entropy:.2f} bits a token")
        return
    rows = [
        [repr(piece), _probability(bits), f"{open_:.3f}"]
        for piece, bits, open_ in zip(text.pieces, text.bits, text.entropies, strict=True)
    ]
    click.echo(f"{text.prompt}{text.text}\n")
    click.echo(columns(["token", "probability", "entropy (bits)"], rows, right=(1, 2)))


def _probability(bits: float) -> str:
    """A probability as it is shown, however small."""
    return f"{2**-bits:.4f}" if bits < 10 else f"{2**-bits:.2e}"


def _show_next(
    learned: "LearnedGenerator", prompts: list[str], count: int, length: int, section: WritingSection, as_json: bool
) -> None:
    """The likeliest continuations of each prompt."""
    found = [(prompt, learned.writer.following(prompt, count, length, section)) for prompt in prompts]
    if as_json:
        documents = [
            {"prompt": prompt, "next": [{"text": own.text, "probability": 2 ** -own.bits[0]} for own in texts]}
            for prompt, texts in found
        ]
        print_json({"task": "generate", "rung": learned.rung, "continuations": documents})
        return
    for prompt, texts in found:
        if len(found) > 1:
            click.echo(prompt)
        click.echo(columns(["next", "probability"], [[repr(own.text), _probability(own.bits[0])] for own in texts]))


def _score(
    learned: "LearnedGenerator", source: str, reading: dict[str, Any], page: Path | None, as_json: bool, quiet: bool
) -> None:
    """Bits per character of a text."""
    from ..evaluation.panels import Panel, Passages
    from ..report.page import write_page
    from ..tasks.generate.panels import SHOWN, SURPRISE, surprise_passage

    with warnings_told(quiet=quiet):
        found = learned.score(source, **reading)
    metrics = found.metrics
    if page is not None:
        passage = surprise_passage(learned.tokenizer, found.text, found.tokens, found.bits)
        heading = "Text" if len(found.text) <= SHOWN else f"The first {SHOWN:,} of {len(found.text):,} characters"
        lead = f"{metrics['bits_per_character']:.4f} bits per character with {learned.rung}."
        panel = Panel(heading, "", [Passages("Surprise", [passage], SURPRISE)])
        write_page(page, f"{source}: surprise", lead, [panel])
        tell(f"page: {page}", quiet=quiet or as_json)
    if as_json:
        print_json({"task": "generate", "rung": learned.rung, "data": source, "metrics": metrics})
        return
    unknown = f", {metrics['unknown']} of them unknown" if metrics["unknown"] else ""
    click.echo(
        f"{source}: {metrics['bits_per_character']:.4f} bits per character ({metrics['count']:,} characters{unknown})"
    )


def _write(texts: list["Text"], path: Path) -> None:
    from ..files import json_text, write_atomically

    documents = [{"prompt": text.prompt, "text": text.text} for text in texts]
    if path.suffix == ".json":
        content = json_text(documents) + "\n"
    elif path.suffix == ".jsonl":
        import json

        content = "".join(json.dumps(own, ensure_ascii=False) + "\n" for own in documents)
    else:
        content = "".join(_ended(text.prompt + text.text) for text in texts)
    write_atomically(path, content.encode("utf-8", "replace"))


def _ended(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"


def _write_page(predictor: "Predictor", learned: "LearnedGenerator", texts: list["Text"], page: Path) -> None:
    from ..evaluation.panels import Panel, Passages
    from ..report.page import write_page
    from ..tasks.generate.panels import shaded

    passages = [
        shaded(
            ["\u2026" if not text.prompt else text.prompt, *text.pieces],
            [None, *text.bits],
            f"text {number}",
            [0.0, *text.entropies],
        )
        for number, text in enumerate(texts, 1)
    ]
    caption = (
        "What was written: green tokens were likely, red ones unlikely. The blue line below a token shows how open it "
        "was what would come (entropy)."
    )
    panel = Panel(
        "Texts", f"{learned.rung}: {learned.note}", [Passages("How likely each token was", passages, caption)]
    )
    write_page(page, f"{predictor.folder}: {predictor.task}", f"What {learned.rung} wrote.", [panel])
