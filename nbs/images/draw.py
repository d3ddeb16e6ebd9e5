"""Draw the course's map and the site's favicon and social card: `python nbs/images/draw.py`.

The pictures are committed; this is how to change them.
"""

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


PARTS = {
    "Foundations": [
        "00 by hand",
        "01 digits",
        "02 matrix product",
        "03 forward pass",
        "04 curves from kinks",
        "05 chain rule",
        "06 Jacobian",
    ],
    "Backpropagation": ["07 scalar autograd", "08 backward by hand", "09 modules", "10 PyTorch's autograd"],
    "Training": ["11 log-sum-exp", "12 training loop", "13 learner", "14 many processes"],
    "Practice and beyond": ["15 from a blank page", "16 language model"],
}


def course_map(ax):
    "Four columns, one for each part, with the notebooks in reading order and arrows from part to part."
    ax.set(xlim=(0, 16), ylim=(0.3, 9.0))
    for column, (part, books) in enumerate(PARTS.items()):
        left = 0.15 + 4 * column
        ax.text(left + 1.75, 8.6, part, ha="center", va="center", fontsize=15, weight="bold", color=INK)
        for row, book in enumerate(books):
            y = 7.2 - 1.13 * row
            box = plt.Rectangle((left, y), 3.5, 0.8, facecolor="#eef3fa", edgecolor=FORWARD, linewidth=1.5)
            ax.add_patch(box)
            ax.text(left + 1.75, y + 0.4, book, ha="center", va="center", fontsize=12.5, color=INK)
            if row:
                arrow = dict(arrowstyle="-|>", color=INK, lw=1.2)
                ax.annotate("", (left + 1.75, y + 0.8), (left + 1.75, y + 1.13), arrowprops=arrow)
        if column < len(PARTS) - 1:
            arrow = dict(arrowstyle="-|>", color=BACKWARD, lw=2.5)
            ax.annotate("", (left + 4.2, 8.1), (left + 3.3, 8.1), arrowprops=arrow)


if __name__ == "__main__":
    picture("map.png", (11, 6.0), 90, course_map, "white")
    picture("favicon.png", (1, 1), 128, favicon, "none")
    picture("card.png", (12, 6.3), 100, card, "white")
