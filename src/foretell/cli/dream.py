"""``foretell dream IMAGE -o OUT.png``: dreams over pictures, from noise, as films; and which layers a network has."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import StorageError, UsageError
from ..files import require_place
from ..tasks.dream.config import Configuration
from .bar import Bar
from .options import asked, task_options
from .output import columns, output_options, print_json, tell, warnings_told

if TYPE_CHECKING:
    from ..data.pictures import Picture
    from ..dreaming import Octave, Pixels, Step, Watcher
    from ..tasks.dream.dreams import Dream, Dreaming

_NEEDS = {"zoom": "film", "zoom_rate": "zoom", "fps": "film", "size": "from_noise"}


def _dream(**given: Any) -> None:
    """Dreams as options say."""
    from ..tasks.dream.estimator import configured, prepared

    quiet, as_json = given["quiet"] or given["as_json"], given["as_json"]
    named = asked(Configuration, given)
    options = configured(named.flags, file=named.file, sets=named.sets)
    images: tuple[str, ...] = given["images"]
    if given["list_layers"]:
        if images or given["output"] or given["preview"]:
            raise UsageError("--list-layers dreams of nothing; leave IMAGE, --output and --preview away")
        with warnings_told(quiet=quiet):
            _list_layers(options, as_json, quiet)
        return
    _require_meaning(named.named, images, options, given["preview"])
    outputs = _outputs(images, given["output"], options)
    _require_apart(images, outputs, options, given["preview"])
    bar = Bar(quiet=quiet)
    try:
        with warnings_told(quiet=quiet):
            dreaming = prepared(options)
            for each in images if len(images) > 1 else ():
                dreaming.read(each)  # what is wrong with the last is told before the first is dreamt over
            documents = []
            if len(images) > 1 and outputs[0][1] is not None:
                _make(outputs[0][1].parent)
            for image, output in outputs:
                picture = None if image is None else dreaming.read(image)
                told = _Told(bar, f"{image}: " if len(images) > 1 else "", given["preview"])
                started = time.perf_counter()
                document = _one(dreaming, picture, output, told)
                document["seconds"] = time.perf_counter() - started
                documents.append({"picture": image, "output": None if output is None else str(output), **document})
                bar.close()
                for note in [*document.pop("notes"), _summary(dreaming, document)]:
                    tell(f"{told.before}{note}", quiet=quiet)
                for path in () if as_json else filter(None, (options.film.film, output)):
                    click.echo(path)
    finally:
        bar.close()
    if as_json:
        film = options.film.film
        found = {"task": "dream", "objective": str(dreaming.objective), "network": dreaming.backbone.name}
        print_json({**found, "seed": options.ascent.seed, "film": film and str(film), "dreams": documents})


class _Told:
    """Tells of a dream: a bar or lines, and a preview.

    Args:
        bar: Where progress is told.
        before: What stands before it.
        preview: A picture that is written anew after each octave.
    """

    def __init__(self, bar: Bar, before: str, preview: Path | None) -> None:
        self.bar, self.before, self.preview = bar, before, preview

    def watcher(self, what: str = "", done: int = 0, of: int = 1) -> "Watcher":
        """Who watches one of several dreams.

        Args:
            what: The dream.
            done: How many are done.
            of: How many there are.
        """
        from ..dreaming import Watcher

        def step(number: int, octaves: int, own: "Step") -> None:
            height, width = own.picture.shape[-2:]
            octave = f"octave {number}/{octaves} ({width}×{height})"
            before = (done * octaves + number - 1) * own.steps
            total = of * octaves * own.steps
            self.bar.step(before + own.number, total, f"{self.before}{what}{octave}", f"loss {own.loss:.4g}")

        def octave(number: int, octaves: int, picture: "Pixels") -> None:
            from ..data.pictures import Picture
            from ..dreaming import pixels_of

            if not what:
                self.show(Picture(pixels_of(picture)))

        return Watcher(step, octave)

    def show(self, picture: "Picture") -> None:
        """Writes the preview."""
        if self.preview is not None:
            picture.save(self.preview)


def _one(dreaming: "Dreaming", picture: "Picture | None", output: Path | None, told: _Told) -> dict[str, Any]:
    """Dreams once, writes what comes of it, and tells of it."""
    from ..tasks.dream.film import octave_film
    from ..tasks.dream.noise import noise, picture_size, sheet

    asked = dreaming.asked
    document: dict[str, Any] = {}
    if asked.noise.grid is not None:
        found = sheet(dreaming, lambda number, count: told.watcher(f"filter {number}/{count}, ", number - 1, count))
        dream, document["filters"] = found.dream, found.filters
    else:
        begin = picture or dreaming.read(noise(picture_size(asked.noise.size), asked.ascent.seed))
        film = asked.film.film
        if film is None:
            dream = dreaming.over(begin, told.watcher())
        elif asked.film.zoom is None:
            dream = octave_film(dreaming, begin, film, told.watcher())
        else:
            dream = _zoomed(dreaming, begin, film, told)
        document["octaves"] = [_octave(own) for own in dream.octaves]
    if output is not None:
        dream.save(output)
    height, width = dream.picture.size
    return {**document, "width": width, "height": height, "notes": dream.notes}


def _summary(dreaming: "Dreaming", document: dict[str, Any]) -> str:
    """What became of the objective in the last octave, in a line."""
    losses = document["octaves"][-1]["losses"] if document.get("octaves") else []
    rose = f" went from {losses[0]:.4g} to {losses[-1]:.4g} in the steps of the last octave" if len(losses) > 1 else ""
    return f"{dreaming.objective}{rose}; {document['seconds']:.1f} s"


def _zoomed(dreaming: "Dreaming", begin: "Picture", film: Path, told: _Told) -> "Dream":
    """A film that goes on where it was stopped."""
    from ..tasks.dream.film import zoom_film

    try:
        return zoom_film(
            dreaming,
            begin,
            film,
            lambda number, count: told.watcher(f"frame {number}/{count}, ", number - 1, count),
            lambda number, frame: told.show(frame),
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the frames that are done are kept; the same command goes on with them") from None


def _octave(own: "Octave") -> dict[str, Any]:
    return {"width": own.size[1], "height": own.size[0], "losses": own.losses}


def _require_meaning(named: set[str], images: tuple[str, ...], options: Configuration, preview: Path | None) -> None:
    """Checks that all that was named has a part in what is asked for.

    Raises:
        UsageError: Something has none, or something is missing.
    """
    from ..data.films import require_film
    from ..data.pictures import format_of

    imageless = options.noise.from_noise or options.noise.grid is not None
    if images and imageless:
        raise UsageError("a dream from noise (--from-noise, --grid) has no picture; leave IMAGE or the option away")
    if not images and not imageless:
        raise UsageError(
            "dream needs a picture: foretell dream photo.jpg -o dream.png; or --from-noise, or --list-layers"
        )
    film = options.film.film
    there = {name for name in named if name != "film"} | ({"film"} if film else set())
    there |= {"from_noise"} if imageless else set()
    for option, needed in _NEEDS.items():
        if option in named and needed not in there and getattr(options.film, needed, None) is None:
            raise UsageError(f"--{option.replace('_', '-')} goes with --{needed.replace('_', '-')}")
    if film is not None:
        if options.noise.grid is not None or len(images) > 1:
            raise UsageError("--film is of one picture; leave --grid and further pictures away")
        require_film(film, options.film.fps)
    if preview is not None:
        if options.noise.grid is not None:
            raise UsageError("--preview shows one dream as it comes; leave it or --grid away")
        format_of(preview, "--preview")
        require_place(preview)


def _require_apart(
    images: tuple[str, ...], outputs: list[tuple[str | None, Path | None]], options: Configuration, preview: Path | None
) -> None:
    """Checks that nothing is written over what is read, or over something else that is written.

    Raises:
        UsageError: Something would be.
    """
    beside = [own for own in (options.objective.guide, options.ascent.only, options.backbone.weights) if own]
    taken = {path.resolve(): str(path) for path in (*map(Path, images), *beside)}
    for path in filter(None, (*(output for _, output in outputs), options.film.film, preview)):
        if path.resolve() in taken:
            raise UsageError(f"{path} would be written over {taken[path.resolve()]}; give it another name")
        taken[path.resolve()] = str(path)


def _make(folder: Path) -> None:
    """A folder for dreams."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder} cannot be made: {error.strerror}", folder=str(folder)) from None


def _outputs(
    images: tuple[str, ...], output: Path | None, options: Configuration
) -> list[tuple[str | None, Path | None]]:
    """What is written for each picture.

    Raises:
        UsageError: No picture can be written there, or two would be.
        StorageError: The folder is not there.
    """
    from ..data.pictures import format_of

    if len(images) > 1:
        folder = output or Path("dreams")
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"several pictures are written into a folder; --output {folder} is a file")
        found: dict[Path, str] = {}
        for image in images:
            path = folder / f"{Path(image).stem}.png"
            if path in found:
                raise UsageError(f"{found[path]} and {image} would both be written as {path}; dream them one by one")
            found[path] = image
        return [(image, path) for path, image in found.items()]
    if output is None and options.film.film is not None:
        return [(images[0] if images else None, None)]
    begun = Path(images[0]).stem if images else "filters" if options.noise.grid is not None else "noise"
    path = Path(f"{begun}-dream.png") if output is None else output
    if path.is_dir():
        path = path / f"{begun}-dream.png"
    format_of(path)
    require_place(path)
    return [(images[0] if images else None, path)]


def _list_layers(options: Configuration, as_json: bool, quiet: bool) -> None:
    from ..tasks.dream.listing import listing
    from ..tasks.dream.network import open_backbone

    backbone = open_backbone(options.backbone)
    layers = listing(backbone)
    if as_json:
        print_json({"task": "dream", "network": backbone.name, "layers": layers})
        return
    outer = [own for own in layers if own["outer"]] or layers
    rows = [[own["name"], "×".join(map(str, own["shape"])), own["kind"], own["good_for"]] for own in outer]
    side = outer[0]["picture"] if outer else 0
    click.echo(columns(["layer", f"shape at {side}×{side}", "kind", "good for"], rows))
    if len(outer) < len(layers):
        tell(
            f"{len(layers) - len(outer)} more lie inside these and can be named as well; --json lists all", quiet=quiet
        )


command = click.command(
    "dream",
    help="Dream over IMAGE, or several: what a trained network sees in it grows, from small scales to large ones.",
)(output_options(_dream))
command.params = [
    click.Argument(["images"], metavar="[IMAGE]...", nargs=-1),
    click.Option(
        ["-o", "--output"],
        type=click.Path(path_type=Path),
        help="Picture to write, .png, .jpg or .webp (IMAGE-dream.png when not named); a folder for several.",
    ),
    click.Option(
        ["--preview"], type=click.Path(path_type=Path), help="Picture that is written anew after each octave or frame."
    ),
    click.Option(["--list-layers"], is_flag=True, help="Show the network's layers, and what each is good for."),
    *task_options(Configuration),
    *command.params,
]
