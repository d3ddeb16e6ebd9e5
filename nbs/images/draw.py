"""Draw the site's favicon and social card: `python nbs/images/draw.py`. The pictures are committed; this is how to change them."""

from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np

HERE = Path(__file__).parent
INK, FORWARD, BACKWARD = "#14213d", "#2a6fbb", "#e07a1f"


def network(ax, sizes, width, height, dot):
    "A small network in data units: forward lines thin, one backward path thick."
    places = [
        [(x, y) for y in np.linspace(-1, 1, n) * height * (n - 1) / max(sizes)]
        for x, n in zip(np.linspace(0, width, len(sizes)), sizes, strict=True)
    ]
    for left, right in zip(places, places[1:], strict=False):
        for a in left:
            for b in right:
                ax.plot(*zip(a, b, strict=True), color=FORWARD, lw=dot / 9, alpha=0.55, zorder=1)
    path = [layer[len(layer) // 2] for layer in places]
    ax.plot(*zip(*path, strict=True), color=BACKWARD, lw=dot / 2.2, zorder=2)
    for layer in places:
        ax.scatter(
            *zip(*layer, strict=True), s=dot**2, color="white", edgecolor=INK, linewidth=dot / 6, zorder=3
        )


def picture(name, inches, dpi, draw, background):
    "Draw on a bare canvas and save it beside this file."
    fig = plt.figure(figsize=inches, dpi=dpi, facecolor=background)
    ax = fig.add_axes([0, 0, 1, 1])
    ax.axis("off")
    draw(ax)
    fig.savefig(HERE / name, facecolor=background, metadata={"Software": None})
    plt.close(fig)


def favicon(ax):
    network(ax, [2, 3, 1], 2, 1, 11)
    ax.set(xlim=(-0.45, 2.45), ylim=(-1.25, 1.25))


def card(ax):
    ax.set(xlim=(0, 12), ylim=(0, 6.3))
    ax.text(0.8, 4.35, "lesson13", fontsize=54, weight="bold", color=INK, va="center")
    ax.text(0.8, 3.1, "Backpropagation from nothing:", fontsize=23, color=INK, va="center")
    ax.text(0.8, 2.5, "a course you run, prove and practise.", fontsize=23, color=INK, va="center")
    inset = ax.inset_axes([0.66, 0.14, 0.3, 0.72])
    inset.axis("off")
    network(inset, [3, 5, 2], 2, 1.3, 17)
    inset.margins(0.12)


if __name__ == "__main__":
    picture("favicon.png", (1, 1), 128, favicon, "none")
    picture("card.png", (12, 6.3), 100, card, "white")
