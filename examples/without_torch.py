"""Follow one object with an exported network: NumPy, OpenCV and onnxruntime, no torch and no rartrack.

    pip install ".[export]" && rartrack export rar-fast --format onnx --output rar-fast.onnx  # once, anywhere
    pip install numpy opencv-python onnxruntime  # where it runs
    python without_torch.py rar-fast.onnx video.mp4 398,206,88,104 > boxes.csv

All of the tracker but its network is here, for one target, to be copied and to be put into other languages: crops,
the filter (learned, blended, solved, applied), the peak, the box, the second look and the score. What it leaves to
rartrack: several targets, the camera's motion, the search for a lost target, limits of size, reading difficult video.
"""

from __future__ import annotations

import json
import os
import sys

import cv2
import numpy as np
import onnxruntime

STRIDE = 8  # pixels of a crop between two cells
AROUND = np.array([[0, 0], [0, -1], [-1, 0], [0, 1], [1, 0]])  # the target, then contexts: above, left, below, right
NEARBY = np.array([(x, y) for y in (-1, 0, 1) for x in (-1, 0, 1) if x or y]) / 3  # a last look's, in windows
UNLIKELY = 0.05  # what the box head's probability of 0 counts as

SHOWN = {"scale_search": "box", "displacement_window": 0}


class Tracker:
    """One target; boxes are x, y, w, h in pixels, frames RGB uint8 (H, W, 3)."""

    def __init__(self, path):
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.names = [entry.name for entry in self.session.get_outputs()]
        kinds = {entry.name: entry.type for entry in self.session.get_inputs()}
        self.crops = np.uint8 if kinds["crops"] == "tensor(uint8)" else np.float32
        config = json.loads(self.session.get_modelmeta().custom_metadata_map["config"])
        self.filter, self.tracking = config["filter"], config["tracking"]
        other = [name for name, value in SHOWN.items() if self.tracking.get(name, value) != value]
        if other or self.filter["form"] != "exact":
            sys.exit(f"{path}: {', '.join(other) or 'filter.form'}: a setting that is not shown here")
        self.side = config["network"]["input_size"]
        self.cells = (self.side - 7) // STRIDE
        hann = np.hanning(self.cells)
        self.window = (hann[:, None] * hann).astype(np.float32)
        # The label: a Gaussian on wrapped distances, highest at no motion.
        sigma = self.filter["label_sigma"] * self.side / (1 + self.tracking["padding"]) / STRIDE
        distance = (np.arange(self.cells) + self.cells / 2) % self.cells - self.cells / 2
        line = np.exp(-0.5 * (distance / sigma) ** 2)
        self.label = np.fft.rfft2(line[:, None] * line)

    def init(self, frame, box):
        self.size = np.array(box[2:], float)
        self.centre = np.array(box[:2], float) + self.size / 2
        self.frame = 0
        inputs = {entry.name: entry.shape for entry in self.session.get_inputs() if entry.name != "crops"}
        self.memory = {name: np.zeros((1, *shape[1:]), np.float32) for name, shape in inputs.items()}
        self.first = self.statistics = self.learn(frame)
        self.solve()
        # What the box head sees of the given box is taken off what it sees later.
        _, outputs = self.spectra(frame, self.centre[None])
        self.own = between(outputs["boxes"][0, :4], np.zeros(2))

    def update(self, frame):
        """Returns the box, and the score in [0, 1]."""
        self.frame += 1
        enough = self.enough()
        before, found = self.centre, self.look(frame, self.centre[None])
        if np.clip(found[3], 0, 1) < self.tracking.get("look_again_below", 0):
            # Hardly seen: look where it seems to be, where the window does not fade it.
            other = self.look(frame, found[1][None])
            found = other if other[0] > found[0] else found
            if found[3] < enough:
                # Not enough to learn from: look around its last place for what is, to be learned once seen again.
                other = self.look(frame, self.centre + NEARBY * self.windows(self.size))
                if other[0] > found[0] and other[3] >= enough:
                    held = enough > self.tracking["lost_below"]  # else it would not be seen
                    found = (*other[:3], np.nextafter(enough, 0)) if held else other
        if found[3] >= self.tracking["lost_below"]:  # else it is not seen, and stays where it was
            # Inside the frame, or no further out than before.
            self.centre = np.clip(found[1], np.minimum(before, 0), np.maximum(before, frame.shape[1::-1]))
            self.size = self.size + self.tracking["scale_rate"] * (found[2] - self.size)
        score = float(np.clip(found[3], 0, 1))
        # Of a frame that is not sure nothing is learned.
        if self.frame % self.tracking["update_interval"] == 0 and score >= enough:
            self.statistics = blend(self.statistics, self.learn(frame), self.filter["learning_rate"])
            self.solve()
        return (*(self.centre - self.size / 2), *self.size), score

    def enough(self):
        """The score from which a frame is learned from."""
        return max(self.tracking["uncertain_below"], self.tracking["lost_below"])

    def look(self, frame, centres):
        """Of several windows the best one's rank, the target's place and size there, and the response's height."""
        spectra, outputs = self.spectra(frame, centres)
        responses = np.fft.irfft2((self.solution * spectra).sum(1), s=(self.cells, self.cells))
        # Where the box head thinks the target unlikely responses count less; its middle is no motion, their first cell.
        likely = np.roll(1 / (1 + np.exp(-outputs["boxes"][:, 4])), [-(self.cells // 2)] * 2, (1, 2))
        weight = (UNLIKELY + (1 - UNLIKELY) * likely) ** self.tracking["classification"]
        ranks, shifts = map(np.array, zip(*map(peak, responses * weight), strict=True))
        columns, rows = np.round(shifts).astype(int).T % self.cells
        there = range(len(ranks)), rows, columns
        # The score is the response's own, less where the box head doubts it.
        sure = np.minimum(likely[there] / max(self.tracking["doubted_below"], 1e-9), 1)
        ranks, heights = ranks * sure, ranks / weight[there] * sure
        best = int(np.argmax(ranks))
        height = heights[best]
        centre = centres[best] + shifts[best] * STRIDE * self.windows(self.size) / self.side
        if height < self.enough():
            return ranks[best], centre, self.size, height
        # The box head's step in sizes, and its change of width and height in logarithms, seen from the peak.
        change = np.clip(between(outputs["boxes"][best, :4], shifts[best]) - self.own, -1, 1)
        centre = centre + self.tracking["box_centre"] * change[:2] * self.size
        return ranks[best], centre, self.size * np.exp(self.tracking["box_rate"] * change[2:]), height

    def learn(self, frame):
        """What one frame adds to the filter: A (rows, columns, D, D), r (rows, columns, D), the template's energy.

        The network's memory of the target alone goes on, not that of its contexts.
        """
        offsets, weight = AROUND[: 1 + self.filter["contexts"]], self.filter["context_weight"]
        if self.frame:  # later than the first frame some of the contexts at a time, which weigh as much as all
            turns = self.tracking.get("context_turns", 1)
            turn = self.frame // self.tracking["update_interval"] % turns
            offsets, weight = np.concatenate([AROUND[:1], offsets[1 + turn :: turns]]), weight * turns
        centres = self.centre + offsets * self.size
        spectra, after = self.spectra(frame, centres)
        for name in self.memory:
            if name != "memory.template":
                self.memory[name] = after[name.replace("memory", "next")][:1]
            elif self.frame == 0:  # what the box head saw of the given box stays
                self.memory[name] = after["next.recent"][:1]
        vectors = spectra.astype(complex).transpose(2, 3, 1, 0)  # rows, columns, D, crops
        weights = np.full(len(offsets), weight)
        weights[0] = 1
        gram = (vectors.conj() * weights) @ vectors.swapaxes(-1, -2)
        return gram, self.label[..., None] * vectors[..., 0].conj(), self.energy

    def solve(self):
        """The filter: (A + lambda e I)^-1 r in every frequency, of what was learned and the first frame's share."""
        gram, cross, energy = blend(self.statistics, self.first, self.filter.get("first_share", 0))
        ridge = self.filter["regularization"] * energy * np.eye(gram.shape[-1])
        self.solution = np.linalg.solve(gram + ridge, cross[..., None])[..., 0].transpose(2, 0, 1)

    def spectra(self, frame, centres):
        """Half spectra (B, D, rows, columns) of the windowed features of B crops, and all that the network gave."""
        crops = np.stack([self.crop(frame, centre, self.size) for centre in centres])
        inputs = {name: np.repeat(value, len(crops), 0) for name, value in self.memory.items()}
        inputs["crops"] = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), dtype=self.crops)
        outputs = dict(zip(self.names, self.session.run(self.names, inputs), strict=True))
        windowed = outputs["features"] * self.window
        self.energy = np.square(windowed[0], dtype=float).sum()
        return np.fft.rfft2(windowed), outputs

    def windows(self, size):
        if self.tracking["crop"] == "stretch":
            return (1 + self.tracking["padding"]) * size
        return np.full(2, (1 + self.tracking["padding"]) * np.sqrt(size.prod()))

    def crop(self, frame, centre, size):
        """A window as a square crop; large windows are averaged first, and what lies outside has the mean colour."""
        window, height, width = self.windows(size), *frame.shape[:2]
        colour = frame[:: -(-height // 64), :: -(-width // 64)].reshape(-1, 3).mean(0).tolist()
        step = window / self.side
        block = 2 ** np.log2(np.maximum(1, step)).astype(int)
        low, source = np.zeros(2), frame
        if block.max() > 1:
            low = np.maximum(np.floor(centre - window / 2 - block), 0).astype(int)
            high = np.minimum(np.ceil(centre + window / 2 + block), (width, height)).astype(int)
            count = -(-(high - low) // block)
            if count.min() > 0:
                part, more = frame[low[1] : high[1], low[0] : high[0]], count * block - (high - low)
                part = cv2.copyMakeBorder(part, 0, int(more[1]), 0, int(more[0]), cv2.BORDER_CONSTANT, value=colour)
                source = cv2.resize(part, (int(count[0]), int(count[1])), interpolation=cv2.INTER_AREA)
            else:  # nothing of the frame is in it
                low, block = np.zeros(2), np.ones(2)
        scale = step / block
        corner = (centre - low) / block - 0.5 - scale * (self.side - 1) / 2
        matrix = np.array([[scale[0], 0, corner[0]], [0, scale[1], corner[1]]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(source, matrix, (self.side, self.side), None, flags, cv2.BORDER_CONSTANT, colour)


def blend(old, new, rate):
    return [(1 - rate) * a + rate * b for a, b in zip(old, new, strict=True)]


def peak(response):
    """Height of a response's peak, and where it is: x, y in cells; between cells its Fourier series is searched."""
    n = len(response)
    spectrum, rate = np.fft.fft2(response), 2j * np.pi * np.fft.fftfreq(n)
    place = np.array(np.unravel_index(np.argmax(response), response.shape), float)
    cell = place
    for reach in (1, 1 / 8, 1 / 64, 1 / 512):  # cells; each time on a grid of 17 x 17 points
        steps = np.linspace(-reach, reach, 17)
        rows, columns = (np.exp((at + steps)[:, None] * rate) / n for at in place)
        values = (rows @ spectrum @ columns.T).real
        place = place + steps[np.array(np.unravel_index(np.argmax(values), values.shape))]
    return values.max(), (place - np.where(cell > (n - 1) // 2, n, 0))[::-1]


def between(maps, shift):
    """Maps (4, n, n) at x, y in cells from the middle, bilinear between the cells around."""
    last = maps.shape[-1] - 1
    x, y = np.clip(shift + last / 2, 0, last)
    left, top = (int(min(at, last - 1)) for at in (x, y))
    (a, b), (c, d) = maps[:, top : top + 2, left : left + 2].transpose(1, 2, 0)
    across, down = x - left, y - top
    return (1 - down) * ((1 - across) * a + across * b) + down * ((1 - across) * c + across * d)


def parse(text):
    try:
        box = [float(part) for part in text.split(",")]
    except ValueError:
        box = []
    if len(box) != 4 or not np.isfinite(box).all() or min(box[2:]) <= 0:
        sys.exit(f"box {text}: expected x,y,w,h in pixels, w and h above 0")
    return box


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    given = parse(sys.argv[3])
    tracker, video = Tracker(sys.argv[1]), cv2.VideoCapture(sys.argv[2])
    print("frame,x,y,w,h,score")
    number = 0
    while (read := video.read())[0]:
        frame = cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)
        box, score = given, 1.0
        if number == 0:
            tracker.init(frame, box)
        else:
            box, score = tracker.update(frame)
        print(number, *(f"{value:.2f}" for value in box), f"{score:.3f}", sep=",")
        number += 1
    if number == 0:
        sys.exit(f"{sys.argv[2]}: holds no frame that can be read")


if __name__ == "__main__":
    try:
        main()
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the boxes has left; Python would try once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
