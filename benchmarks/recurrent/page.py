"""Outcomes as Markdown and as JSON."""

from collections.abc import Iterable
from dataclasses import asdict

from ..measure import Row, shown
from .cases import BATCH, DROPOUT, FEATURES, RECURRENT_DROPOUT, STEPS
from .contestants import CONTESTANTS, OURS
from .racing import Outcome

INTRODUCTION = f"""\
Made by `make bench-recurrent`. A training step is forward, mean absolute error, backward and RMSprop over {BATCH}
sequences of {STEPS} × {FEATURES} values, float32, with a dense head on the last output; with dropout, every layer drops
{DROPOUT:g} of its inputs and {RECURRENT_DROPOUT:g} of its state. A single step is inference with the state of the step
before, a batch of one, {FEATURES} values in, timed over many in a row.

Every contestant is a process of its own that sleeps while others have their turns; a turn begins with 0.15 s of steps
that do not count, as a training is a long row of steps. Times are medians over all turns, in brackets the distance
between the quartiles. Each contestant builds every variant of a case first, and only its fastest one races: the second
table says which. *Times faster* is the time of the fastest peer over Foretell's.

What was done for the peers: torch.nn flushes denormal numbers, as TensorFlow and XLA do by themselves (gradients that
fade over {STEPS} steps make them, and without that they cost it most of its time); it has no dropout within the
recurrence, so that there it is a loop in Python over the same equations; its GRU has no ReLU and computes tanh in that
case. Keras's `unroll=True` was tried at 32 units and left out: it was slower, and with XLA it compiled for minutes.

The *limit* is the time of the matrix products of a training step at the speed of one large product (torch, all
threads), measured in turns with the contestants.

What limits the rest, as seen by leaving parts out: of LSTM 32's kernels about a third of the way forward goes into the
gates' exponentials, which no matrix product has; on the way back the weights and their gradients no longer fit into the
first cache; and what the way back needs passes through memory. Beside the kernels, autograd, optimiser and the calls
between them cost 1 to 1.5 ms a step. A single step takes its kernel 3.6 µs; the rest is Python around it (checks, two
new tensors, the call), so that three times LSTMCell's speed is out of reach without a loop of steps in compiled code.
"""


def table(header: list[str], body: Iterable[list[str]]) -> str:
    """Cells as Markdown; the first two columns are words."""
    rule = ["---" if place < 2 else "---:" for place in range(len(header))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [header, rule, *body])


def timed(row: Row | None) -> str:
    """A time with its spread."""
    return f"{shown(row.seconds)} ({row.spread:.0%})" if row else "–"


def verdict(met: bool | None) -> str:
    """Whether a goal was met, where there is one."""
    return "" if met is None else "met" if met else "MISSED"


def words(dropout: bool) -> str:
    """The rates of a row."""
    return f"{DROPOUT:g} / {RECURRENT_DROPOUT:g}" if dropout else "none"


def race_table(outcomes: list[Outcome]) -> str:
    """Who needed how long."""
    titles = {contestant.name: contestant.title for contestant in CONTESTANTS}
    body = []
    for outcome in outcomes:
        ours = outcome.rows.get(OURS)
        over = outcome.times_the_limit
        goal = outcome.limit_goal
        near = over <= goal if over is not None and goal is not None else None
        body.append(
            [
                outcome.case,
                words(outcome.dropout),
                *(timed(outcome.rows.get(name)) for name in titles),
                titles[outcome.fastest_peer] if outcome.fastest_peer != OURS else "–",
                f"{ours.ratio:.2f}" if ours and outcome.fastest_peer != OURS else "–",
                ours.goal if ours else "",
                verdict(ours.met) if ours else "",
                f"{over:.1f}" if over is not None else "–",
                f"≤ {goal:g}" if goal else "",
                verdict(near),
            ]
        )
    header = ["case", "dropout", *titles.values(), "fastest peer", "times faster", "goal", ""]
    return table([*header, "times the limit", "goal", ""], body)


def limit_table(outcomes: list[Outcome]) -> str:
    """The arithmetic of each case, and which variant of each peer took part."""
    peers = {contestant.name: contestant.title for contestant in CONTESTANTS if contestant.name != OURS}
    body = [
        [
            outcome.case,
            words(outcome.dropout),
            f"{outcome.flops / 1e9:.3g}" if outcome.flops else "–",
            f"{outcome.product_speed / 1e9:.0f}",
            shown(outcome.limit) if outcome.flops else "–",
            *(outcome.variants.get(name, "–") for name in peers),
        ]
        for outcome in outcomes
    ]
    return table(["case", "dropout", "GFLOP", "GFLOP/s of a large product", "limit", *peers.values()], body)


def tables(outcomes: list[Outcome]) -> str:
    """Both tables."""
    return f"{race_table(outcomes)}\n\n{limit_table(outcomes)}"


def document(outcome: Outcome) -> dict[str, object]:
    """An outcome as plain data."""
    return {**asdict(outcome), "limit": outcome.limit, "times_the_limit": outcome.times_the_limit}
