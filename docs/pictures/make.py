"""Take the pictures of the README from the report of a run, at half size and with few colours, to keep them small.

reparam train mnist --binarize dynamic --out runs/mnist
python docs/pictures/make.py runs/mnist
"""

import sys
from pathlib import Path

from PIL import Image

FIGURES = ("latent.png", "reconstructions.png", "samples.png")

if __name__ == "__main__":
    for name in FIGURES:
        figure = Image.open(Path(sys.argv[1]) / "report" / name).convert("RGBA")
        page = Image.alpha_composite(Image.new("RGBA", figure.size, "white"), figure).convert("RGB")
        half = page.resize((figure.width // 2, figure.height // 2), Image.Resampling.LANCZOS)
        half.quantize(64).save(Path(__file__).parent / name, optimize=True)
