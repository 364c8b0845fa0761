"""Mode collapse: made by momentum, seen in figures, prevented by less momentum and a penalty on slopes."""

from __future__ import annotations

from zeuxis.demonstrations.base import COLOURS, Picture, Settings, Shown, plot
from zeuxis.demonstrations.scatter import cloud
from zeuxis.demonstrations.toy import Toy, circle, found_modes, on_points, ring
from zeuxis.metrics.coverage import density_coverage
from zeuxis.rng import stream

LOOKS, EACH = (0.25, 0.5, 0.75, 1.0), 40
SIGN = 0.5  # coverage below which the alarm sounds here; real points have about 0.97


def show(settings: Settings) -> Shown:
    """The same networks in both ways: points along the way, modes and coverage over steps."""
    steps, kinds = settings.count(1400), {"momentum 0.9": (0.9, 0.0), "momentum 0.5 and R1": (0.5, 0.1)}
    lines, rows, pictures = {}, [], []
    for name, (momentum, weight) in kinds.items():
        toy = on_points(settings, r1=weight, betas=(momentum, 0.99))
        lines[name], stages = _trained(toy, steps, settings)

        def draw(*axes: object, stages: list[tuple[str, object]] = stages) -> None:  # type: ignore[type-arg]
            for each, (title, points) in zip(axes, stages, strict=True):
                cloud(each, points, title, circle())  # type: ignore[arg-type]

        file = f"momentum-{10 * momentum:.0f}.png"
        pictures.append(Picture(file, plot(draw, len(LOOKS), (2.4, 2.7)), f"{name}: 2,000 points along the way."))
        _, modes, coverage = lines[name][-1]
        alarm = [line[0] for line in lines[name] if line[2] < SIGN and line[0] > steps / 4]
        said = f"in {len(alarm)} of {sum(line[0] > steps / 4 for line in lines[name])} looks" if alarm else "never"
        rows.append((name, f"{modes:g} of 8", coverage, said))

    def curves(left, right) -> None:  # type: ignore[no-untyped-def]
        for colour, (name, line) in zip(COLOURS, lines.items(), strict=False):
            step, modes, coverage = zip(*line, strict=True)
            left.plot(step, modes, color=colour, label=name)
            right.plot(step, coverage, color=colour, label=name)
        left.set_ylabel("modes found, of 8")
        right.set_ylabel("coverage")
        right.axhline(SIGN, color="#999999", linestyle=":")
        for axes in (left, right):
            axes.set_xlabel("step")
            axes.legend(fontsize=8)

    caption = f"Modes and coverage; below {SIGN} (dotted) the alarm sounds."
    return Shown(
        "Mode collapse, made and detected",
        "Metz et al. 2017, arXiv 1611.02163, figure 2 (the ring); Mescheder et al. 2018, arXiv 1801.04406 (R1).",
        (
            "With Adam's usual momentum of 0.9 both networks go on in the direction of earlier steps, though the game "
            "has changed. The generator puts its points where the discriminator is highest at the moment, the "
            "discriminator learns that this place is wrong, and the points move on: at any time few of the eight modes "
            "are there.",
            "Losses do not show it. Coverage does: the share of real points with a generated one in the ball that "
            "reaches to their fifth neighbour (zeuxis.metrics.density_coverage), which `zeuxis train` watches too. "
            "Two changes hold the modes: a momentum of 0.5, as in DCGAN, and R1, which keeps the discriminator flat "
            "around real points.",
        ),
        (*pictures, Picture("curves.png", plot(curves, 2), caption)),
        ("", "modes at the end", "coverage at the end", "alarm after a quarter of the steps"),
        tuple(rows),
    )


def _trained(toy: Toy, steps: int, settings: Settings) -> tuple[list[tuple[int, int, float]], list[tuple[str, object]]]:
    """Lines (step, modes, coverage), and points at each of LOOKS."""
    lines: list[tuple[int, int, float]] = []
    stages: list[tuple[str, object]] = []
    count = settings.count(600, 40)
    real = ring(count, stream(settings.seed, "held out")).flatten(1)

    def look(step: int) -> None:
        if (step + 1) % max(1, steps // EACH) == 0 or step + 1 == steps:
            modes, _ = found_modes(toy.draw(2000), circle())
            lines.append((step + 1, modes, density_coverage(toy.draw(count).flatten(1), real).coverage))
        if step + 1 in {max(1, int(steps * share)) for share in LOOKS}:
            stages.append((f"step {step + 1:,}", toy.draw(2000)))

    toy.run(ring, steps, look=look)
    while len(stages) < len(LOOKS):
        stages.append(stages[-1])
    return lines, stages
