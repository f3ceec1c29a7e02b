"""What is searched: the options of a rung, and what each of them may be."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from ..cluster.work import Shared
from ..config import TaskConfiguration
from ..errors import InputError, RunError, UsageError, nearest
from ..tasks.interface import Prepared, Task
from ..tasks.rung import Choices, Range, Span

_SPAN = re.compile(r"(?P<low>[^.].*?)\.\.(?P<high>[^:]+)(?P<log>:log)?")


@dataclass(frozen=True)
class Search:
    """What is searched.

    Attributes:
        rung: Whose options.
        spans: What each of them may be, by its dotted name.
        trials: How many are tried.
        build: Makes the configuration for some values.
    """

    rung: str
    spans: dict[str, Span]
    trials: int
    build: Callable[[Mapping[str, object]], TaskConfiguration]


def search_space(task: Task, rung: str, named: Mapping[str, str], fixed: Iterable[str] = ()) -> dict[str, Span]:
    """What the options of a rung may be: what the user says, else what the rung suggests for those that are open.

    Args:
        task: Whose rung.
        rung: Its name.
        named: Spans by option, as from ``--search``: ``8..128:log``, ``0..0.5``, or ``24,48,96``.
        fixed: Options that have a value of the user's, and keep it.

    Raises:
        UsageError: There is no such option, or a span is none.
    """
    known = {name: section for section, name, _ in task.configuration.options()}
    spans: dict[str, Span] = {}
    for path, text in named.items():
        section, _, name = path.rpartition(".")
        if name not in known or section not in ("", known[name]):
            raise UsageError(f'--search names "{path}", which is no option; {nearest(name, known)}', option=path)
        if known[name] not in task.configuration.searched or name in task.configuration.judging:
            told = "which says what is judged or how it is computed, not how a model is made"
            raise UsageError(f"--search cannot vary {known[name]}.{name}, {told}", option=path)
        spans[f"{known[name]}.{name}"] = read_span(path, text)
    if not spans:
        kept = set(fixed)
        spans = {f"{known[name]}.{name}": span for name, span in task.rungs[rung].search.items() if name not in kept}
    if not spans:
        raise UsageError(f"{rung} has no options left to search; name some: --search network.units=8..128", rung=rung)
    return spans


def shapes(task: Task, path: str) -> bool:
    """Whether an option, by its dotted name, says what is read of the data."""
    return path.partition(".")[0] in task.configuration.shaping


def read_span(option: str, text: str) -> Span:
    """What a user says that an option may be.

    Raises:
        UsageError: The text is no span.

    >>> read_span("units", "8..128:log")
    Range(low=8, high=128, log=True)
    >>> read_span("lookback", "1d, 2d")
    Choices(values=('1d', '2d'))
    """
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        values = tuple(part.strip() for part in text.split(",") if part.strip())
        if len(set(values)) < 2:
            raise UsageError(f'--search {option} needs a range (8..128, 8..128:log) or several values; found "{text}"')
        return Choices(values)
    try:
        ends = [float(match[name]) for name in ("low", "high")]
    except ValueError:
        raise UsageError(f'--search {option}: the ends of a range are numbers; found "{text}"') from None
    if not ends[0] < ends[1] or not all(map(math.isfinite, ends)) or (match["log"] and ends[0] <= 0):
        raise UsageError(f'--search {option}: a range rises, and a logarithmic one begins above zero; found "{text}"')
    whole = all(re.fullmatch(r"-?\d+", match[name].strip()) for name in ("low", "high"))
    low, high = (int(end) if whole else end for end in ends)
    return Range(low, high, bool(match["log"]))


def check_spans(task: Task, source: Any, search: Search, first: Prepared) -> None:
    """Checks that both ends of each range and a value between, and each choice, make a model, before a run begins.

    What says what is read of the data (lookback and stride, say) must fit together with some of the others' values.

    Raises:
        InputError: One does not fit its option, or the data.
        UsageError: The rung does not read an option.
    """
    prepared_for = SearchedData(task, source, search, first)
    examples = {
        path: span.values if isinstance(span, Choices) else span.examples for path, span in search.spans.items()
    }
    shaping = {path: values for path, values in examples.items() if shapes(task, path)}
    for path, values in examples.items():
        others = {other: known for other, known in shaping.items() if other != path and path in shaping}
        for value in values:
            together = ({path: value, **dict(zip(others, chosen, strict=True))} for chosen in product(*others.values()))
            if path.rpartition(".")[2] in _first_that_fits(prepared_for, together).idle:
                raise UsageError(f"--search {path}: {search.rung} has no use for that option", option=path)


def _first_that_fits(prepared_for: "SearchedData", candidates: Iterable[Mapping[str, Any]]) -> Prepared:
    """The data for the first values that fit together; the last one's error where none do."""
    problem: InputError | None = None
    for values in candidates:
        try:
            return prepared_for(values)
        except InputError as error:
            problem = error
    raise problem or RunError("there is nothing to search")


class SearchedData:
    """The data for some values, prepared anew only where they change what is read of them.

    Args:
        task: Whose data.
        source: The data, as :meth:`~foretell.tasks.interface.Task.prepare` takes them.
        search: What is searched.
        first: The data, prepared for the configuration without any of the values.
    """

    def __init__(self, task: Task, source: Any, search: Search, first: Prepared) -> None:
        self.task, self.source, self.search = task, source, search
        self._known: dict[tuple[object, ...], Shared] = {(): Shared([first])} if not self._named({}) else {}

    def __call__(self, values: Mapping[str, Any]) -> Prepared:
        """The data under the options that some values make.

        Raises:
            InputError: The values do not fit together, or the data.
        """
        return self.task.reconfigured(self.shared(values).parts[0], self.search.build(values))

    def shared(self, values: Mapping[str, Any]) -> Shared:
        """The data as all trials share them that read the same of them."""
        key = self._named(values)
        if key not in self._known:
            prepared = self.task.prepare(self.source, self.search.build(values))
            self._known = {key: Shared([prepared])}
        return self._known[key]

    def _named(self, values: Mapping[str, Any]) -> tuple[object, ...]:
        return tuple(values.get(path) for path in self.search.spans if shapes(self.task, path))
