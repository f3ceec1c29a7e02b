"""``foretell translate RUN [TEXT]``: a text, or lines of a file or of standard input."""

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from ..tasks.translate.config import TranslatingSection
from .options import options_of, runs_dir_option
from .origin import model_of
from .output import output_options, print_json, tell, warnings_told

if TYPE_CHECKING:
    from ..predictor import Predictor
    from ..tasks.translate.learned import LearnedTranslator
    from ..tasks.translate.models import Answer

_SUFFIXES = (".txt", ".json", ".jsonl")


@click.command("translate")
@click.argument("run", metavar="RUN")
@click.argument("text", metavar="[TEXT]", required=False)
@click.option("--file", "source", metavar="FILE", help="File of texts, one a line; - is standard input.")
@options_of(TranslatingSection)
@click.option("--encoding", help="How --file is encoded: utf-8, latin-1, cp1252 ...")
@click.option(
    "--attention", type=click.Path(path_type=Path), help="HTML page of what TEXT's translation looked at, head by head."
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write: .txt, .json or .jsonl.")
@runs_dir_option
@output_options
def command(
    run: str,
    text: str | None,
    source: str | None,
    encoding: str | None,
    attention: Path | None,
    output: Path | None,
    runs_dir: Path,
    as_json: bool,
    quiet: bool,
    no_color: bool,
    **options: Any,
) -> None:
    """Translate TEXT with the model of RUN; without TEXT each line of --file, or of standard input."""
    from ..data.encodings import known_encoding
    from ..errors import DataError, StorageError, UsageError
    from ..tasks.translate.learned import LearnedTranslator, translating_section

    if text is not None and source is not None:
        raise UsageError("TEXT and --file exclude each other; name one")
    if attention is not None and text is None:
        raise UsageError("--attention shows one translation; give it a TEXT")
    if attention is not None and attention.suffix.lower() != ".html":
        raise UsageError(f'--attention ends in .html; found "{attention.name}"')
    if output is not None and output.suffix not in _SUFFIXES:
        raise UsageError(f'--output ends in {", ".join(_SUFFIXES)}; found "{output.name}"')
    if encoding is not None and text is not None:
        raise UsageError("--encoding says how --file is read; leave it away")
    if text is not None and not text.strip():
        raise DataError("there is nothing to translate: the text is empty; give it a word or more")
    for path in (attention, output):
        if path is not None and not path.parent.is_dir():
            raise StorageError(f"{path} could not be written: there is no folder {path.parent}", file=str(path))
    if encoding is not None:
        known_encoding(encoding)
    named = {name: value for name, value in options.items() if value not in (None, ())}
    section = translating_section(named, os.environ)
    predictor, learned = model_of(run, runs_dir, LearnedTranslator, "translates")
    if source is None and text is None:
        source = "-"
    if source == "-" and output is None and not as_json:
        _line_by_line(learned, section, encoding, quiet)
        return
    texts = [text] if text is not None else _lines(cast(str, source), encoding or learned.encoding)
    with warnings_told(quiet=quiet):
        found = learned.translations(texts, section)
        if attention is not None:
            _write_page(predictor, learned, texts[0], section, attention)
            tell(f"page: {attention}", quiet=quiet or as_json)
    if output is not None:
        _write(texts, found, output)
        tell(f"{len(texts)} translations in {output}", quiet=quiet or as_json)
    if as_json:
        documents = [_document(*own) for own in zip(texts, found, strict=True)]
        print_json({"task": predictor.task, "rung": learned.rung, "translations": documents})
    elif output is None:
        for answers in found:
            _print(answers, section)


def _lines(source: str, encoding: str) -> list[str]:
    """The lines of a file, or of standard input."""
    from ..data.parallel import lines_in, lines_of
    from ..errors import DataError

    if source == "-":
        return list(lines_in("standard input", sys.stdin.buffer, encoding))
    path = Path(source)
    found = list(lines_of(path, encoding))
    if not found:
        raise DataError(f"{path} is empty (0 bytes); each line of it is translated", file=str(path))
    return found


def _line_by_line(learned: "LearnedTranslator", section: TranslatingSection, encoding: str | None, quiet: bool) -> None:
    """Answers lines of standard input as they come."""
    from .lines import batches

    for lines in batches(cast(io.BufferedIOBase, sys.stdin.buffer), encoding or learned.encoding):
        with warnings_told(quiet=quiet):
            found = learned.translations(lines, section)
        for answers in found:
            _print(answers, section)
        sys.stdout.flush()


def _print(answers: "list[Answer]", section: TranslatingSection) -> None:
    for answer in answers:
        scored = "" if section.n_best == 1 or answer.compared is None else f"{answer.compared:8.3f}  "
        click.echo(f"{scored}{answer.text}")


def _document(text: str, answers: "list[Answer]") -> dict[str, Any]:
    best = [{"translation": own.text, "score": own.score, "compared": own.compared} for own in answers]
    return {"source": text, **best[0], **({"n_best": best} if len(best) > 1 else {})}


def _write(texts: list[str], found: "list[list[Answer]]", output: Path) -> None:
    import json

    from ..files import json_text, write_atomically

    documents = [_document(*own) for own in zip(texts, found, strict=True)]
    if output.suffix == ".txt":
        content = "".join(f"{own['translation']}\n" for own in documents)
    elif output.suffix == ".jsonl":
        content = "".join(json.dumps(own, ensure_ascii=False) + "\n" for own in documents)
    else:
        content = json_text(documents) + "\n"
    write_atomically(output, content.encode())


def _write_page(
    predictor: "Predictor", learned: "LearnedTranslator", text: str, section: TranslatingSection, page: Path
) -> None:
    """What a translation looked at."""
    from ..errors import UsageError
    from ..report.page import write_page
    from ..tasks.translate.attention import attention_panels
    from ..tasks.translate.models import NetworkModel

    if not isinstance(learned.model, NetworkModel):
        raise UsageError(f"{learned.rung} attends to nothing: --attention is for networks")
    tidy = " ".join(text.split())
    panels = attention_panels(learned.model, learned.vocabulary, tidy, learned.asked(section))
    write_page(
        page, f"{predictor.folder}: attention", f"What {learned.rung} looked at. Point at a cell for its value.", panels
    )
