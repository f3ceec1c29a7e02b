"""The root command. It knows the verbs' names and help, and imports a verb's file only when it is called."""

import errno
import os
import sys
from importlib import import_module
from typing import Any

import click

from .. import __version__
from ..errors import DataError, ForetellError, StoppedError, StorageError, UsageError, nearest
from . import interrupts
from .output import print_error
from .passing import passes_told

INTERRUPTED = StoppedError.exit_code
VERBS = {
    "demo": "Compare models on the built-in weather of three New York airports.",
    "data": "List, check and plot data.",
    "compare": "Climb the ladder: baselines, then models, one leaderboard.",
    "train": "Train one rung, carry out a recipe, or go on with a run that was stopped.",
    "tune": "Search the options of a rung: many trials, bad ones given up early.",
    "recipes": "List and show the experiments that come with Foretell.",
    "evaluate": "Judge a model on its test span, or on other data.",
    "inspect": "Look inside a run: gradients through time, recurrent matrices, parameters.",
    "predict": "Forecast from new rows with a model.",
    "generate": "Write on from a prompt, or say how well a model foresees a text.",
    "translate": "Translate texts with a model, and see what it looked at.",
    "dream": "Dream over a picture: a trained network sees more and more of what it knows.",
    "score": "Compare earlier forecasts with what came, and see whether anything has drifted.",
    "export": "Write a model for another program: ONNX, CTranslate2.",
    "serve": "Serve models over HTTP.",
    "ui": "Open a page: runs, forecasts, texts, translations, dreams.",
    "cache": "List and clear what was kept of large data.",
    "model": "Check a model folder from anywhere before it is served.",
    "runs": "List, show, compare and delete runs.",
    "config": "Show every option: as a JSON schema, or as TOML to edit.",
    "doctor": "Show what is installed, which device is used, and how fast it is.",
    "completion": "Print the script that completes commands in a shell.",
}


class Verbs(click.Group):
    """A group that imports its commands when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order of use."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a verb."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"foretell.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name, or the nearest name in the error."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            raise UsageError(f'there is no command "{args[0]}"; {nearest(args[0], VERBS)}', command=args[0])
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs and their help, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="foretell")
def cli() -> None:
    """What comes next? From a file of yours to a model that has beaten an honest baseline.

    \b
    foretell demo
    foretell compare forecast weather.csv --target "T (degC)" --lookback 10d --every 1h --ahead 24h
    """


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and exits with its code.

    Args:
        arguments: Those of the process where None.
    """
    interrupts.heed()
    given = sys.argv[1:] if arguments is None else arguments
    code = _run(given)
    if code == INTERRUPTED and arguments is None:
        # An interrupt that went through code from a string, as numba and dataclasses run it, leaves a mark in Python,
        # which would end the process by a signal instead of with this code.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    as_json = "--json" in arguments or os.environ.get("FORETELL_JSON", "").lower() in ("1", "true", "yes", "on")
    try:
        # A command that ends with an exit code of its own (data check) has it returned here.
        with passes_told():
            code = cli.main(arguments, prog_name="foretell", standalone_mode=False, obj=list(arguments))
    except (KeyboardInterrupt, click.Abort) as stop:
        said = str(stop.__cause__ or stop)  # click raises its own exception from the interrupt
        return _failed(StoppedError("; ".join(filter(None, ("stopped", said)))), as_json)
    except click.ClickException as error:
        usage = UsageError(error.format_message())
        context = getattr(error, "ctx", None)
        return _failed(usage, as_json, hint=context.command_path if context else None)
    except ForetellError as error:
        return _failed(error, as_json)
    except BrokenPipeError:
        # Whoever read the output has gone; there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _failed(_of_the_system(error), as_json)
    except MemoryError:
        return _failed(
            ForetellError("the memory was not enough; try fewer columns, a shorter lookback or a smaller --batch-size"),
            as_json,
        )
    except Exception as error:
        if os.environ.get("FORETELL_DEBUG"):
            raise
        return _failed(_unexpected(error), as_json)
    return code if isinstance(code, int) else 0


def _failed(error: ForetellError, as_json: bool, hint: str | None = None) -> int:
    """Tells what went wrong, once for all processes that carry out a command; returns the exit code."""
    from .taking_part import report

    if report(error):
        return error.exit_code
    if isinstance(error, StoppedError) and not as_json:
        click.echo(error.message, err=True)
        return error.exit_code
    return print_error(error, as_json, hint)


def _of_the_system(error: OSError) -> ForetellError:
    if error.errno == errno.ENAMETOOLONG:
        return DataError(f'"{str(error.filename)[:60]}..." is too long for the name of a file')
    where = f": {error.filename}" if isinstance(error.filename, str) else ""
    told = f"the output could not be written: {error.strerror or error}{where}"
    return StorageError(told, file=error.filename, errno=error.errno)


def _unexpected(error: Exception) -> ForetellError:
    detail: Any = str(error).strip().splitlines()[0] if str(error).strip() else "no message"
    return ForetellError(
        f"this is a bug in Foretell ({type(error).__name__}: {detail}); FORETELL_DEBUG=1 shows where; please report it"
    )
