"""Make the figures of docs/idea.md.

python docs/make_idea.py
"""

from pathlib import Path

import torch
from matplotlib.figure import Figure

from reparam import noise
from reparam.distributions import Normal
from reparam.estimators import LeaveOneOut, Pathwise, ScoreFunction, expectation
from reparam.report.style import BEST, FAINT, INK, PRIMARY, SECONDARY, drawn, new_figure

PICTURES = Path(__file__).with_name("pictures")


@drawn
def path() -> Figure:
    """The same draw while mu moves: a new number each time, or one number on a line."""
    figure = new_figure(8.0, 2.9)
    left, right = figure.subplots(1, 2, sharey=True)
    mu = torch.linspace(0, 2, 41)
    fresh = Normal(mu, 0.7).sample((3,), generator=noise.generator(2, "fresh"))
    kept = Normal(0.0, 1.0).noise((6,), generator=noise.generator(5, "kept"))
    for draws in fresh:
        left.plot(mu, draws, ".", ms=4, color=SECONDARY)
    for z in kept:
        right.plot(mu, mu + 0.7 * z, color=PRIMARY, lw=1.4)
    for axes, title in ((left, "a direct draw: a new number for each μ"), (right, "y = μ + σ·z: one z, a line")):
        axes.fill_between(mu, mu - 1.4, mu + 1.4, color=FAINT, alpha=0.35, lw=0)
        axes.set_title(title)
        axes.set_xlabel("μ")
    left.set_ylabel("y")
    return figure


@drawn
def estimates() -> Figure:
    """Histograms of single estimates of one gradient, by two estimators."""
    figure = new_figure(8.0, 2.6)
    panels = figure.subplots(1, 2)
    for axes, name, truth, low in zip(panels, ("μ", "σ"), (-4.0, 2.0), (-18, -12), strict=True):
        for estimator, color, label in (
            (ScoreFunction(LeaveOneOut()), SECONDARY, "score function"),
            (Pathwise(), PRIMARY, "pathwise"),
        ):
            parameters = [torch.full((50_000,), value, requires_grad=True) for value in (1.0, 1.0)]
            value = expectation(
                lambda y: (y - 3) ** 2,
                Normal(*parameters),
                estimator=estimator,
                samples=4,
                generator=noise.generator(0, "estimates"),
            )
            gradient = torch.autograd.grad(value.sum(), parameters)["μσ".index(name)]
            spread = f"{label}, variance {gradient.var():.1f}"
            axes.hist(gradient, bins=100, range=(low, low + 36), color=color, alpha=0.75, label=spread)
        axes.axvline(truth, color=INK, lw=1)
        axes.set_title(f"estimates of dE[(y - 3)²]/d{name}, four draws each")
        axes.set_yticks([])
        axes.legend(loc="upper right")
    return figure


@drawn
def conditional() -> Figure:
    """A regression that learns loc(x) and scale(x): draws stay near loc(x)."""
    figure = new_figure(9.0, 2.9)
    panels = dict(zip((0, 60, 400), figure.subplots(1, 3, sharey=True), strict=True))
    x = torch.linspace(-2, 2, 200).unsqueeze(-1)
    target = torch.sin(2 * x)
    with torch.random.fork_rng(devices=[]):
        noise.seed_global(0, "idea")
        network = torch.nn.Sequential(torch.nn.Linear(1, 32), torch.nn.Tanh(), torch.nn.Linear(32, 2))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)

    def law() -> Normal:
        loc, raw = network(x).chunk(2, -1)
        return Normal(loc, torch.nn.functional.softplus(raw))

    for step in range(401):
        if step in panels:
            axes = panels[step]
            with torch.no_grad():
                now = law()
                draws = now.sample(generator=noise.generator(1))
            low, high = now.mean - 2 * now.stddev, now.mean + 2 * now.stddev
            axes.fill_between(
                x[:, 0], low[:, 0], high[:, 0], color=PRIMARY, alpha=0.18, lw=0, label="loc(x) ± 2·scale(x)"
            )
            axes.plot(x, draws, ".", ms=3, color=PRIMARY, label="draws y")
            axes.plot(x, target, color=BEST, lw=1.2, label="target t")
            axes.set_title(f"after {step} steps" if step else "before training")
            axes.set_xlabel("x")
            axes.set_ylim(-4, 4)
        loss = expectation(
            lambda y: ((y - target) ** 2).mean((-2, -1)), law(), generator=noise.generator(0, "fit", step)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    panels[0].legend(loc="upper left")
    return figure


def main() -> None:
    for make in (path, estimates, conditional):
        (PICTURES / f"idea-{make.__name__}.png").write_bytes(make())


if __name__ == "__main__":
    main()
