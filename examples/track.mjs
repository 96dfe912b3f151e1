// Follow one object with an exported network in JavaScript: Node and onnxruntime-node, nothing else.
//
//   rartrack export rar-fast --format onnx --output rar-fast.onnx     # once, anywhere
//   npm install --ignore-scripts onnxruntime-node                     # beside this file
//   mkdir frames && ffmpeg -i video.mp4 -pix_fmt rgb24 -fps_mode passthrough frames/%05d.ppm
//   node track.mjs rar-fast.onnx frames 398,206,88,104 > boxes.csv
//
// It is without_torch.py in another language, and leaves out what that leaves out. Complex arrays are pairs
// [real, imaginary] of Float64Array; a half spectrum has n rows and n / 2 + 1 columns.
import fs from "node:fs";
import path from "node:path";
import ort from "onnxruntime-node";

const STRIDE = 8; // pixels of a crop between two cells
const AROUND = [[0, 0], [0, -1], [-1, 0], [0, 1], [1, 0]]; // the target, then contexts: above, left, below, right
const NEARBY = [-1, 0, 1].flatMap((y) => [-1, 0, 1].map((x) => [x / 3, y / 3])).filter(([x, y]) => x || y); // in windows
const UNLIKELY = 0.05; // what the box head's probability of 0 counts as
const SHOWN = { scale_search: "box", displacement_window: 0 };

class Tracker {
  static async open(file) {
    const tracker = new Tracker();
    tracker.session = await ort.InferenceSession.create(file);
    const config = JSON.parse(metadata(fs.readFileSync(file)).config);
    Object.assign(tracker, { filter: config.filter, tracking: config.tracking, side: config.network.input_size });
    const other = Object.keys(SHOWN).filter((name) => (config.tracking[name] ?? SHOWN[name]) !== SHOWN[name]);
    if (other.length || config.filter.form !== "exact")
      throw new Error(`${file}: ${other.join(", ") || "filter.form"}: a setting that is not shown here`);
    const n = (tracker.n = Math.floor((tracker.side - 7) / STRIDE));
    tracker.D = config.network.feature_channels;
    const hann = range(n).map((i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (n - 1)));
    tracker.window = outer(hann);
    // The label: a Gaussian on wrapped distances, highest at no motion.
    const sigma = (tracker.filter.label_sigma * tracker.side) / (1 + tracker.tracking.padding) / STRIDE;
    tracker.label = dft(outer(range(n).map((i) => Math.exp(-0.5 * ((((i + n / 2) % n) - n / 2) / sigma) ** 2))), n);
    return tracker;
  }

  async init(frame, [x, y, w, h]) {
    Object.assign(this, { centre: [x + w / 2, y + h / 2], size: [w, h], frame: 0, memory: {} });
    for (const { name, shape, type } of this.session.inputMetadata) {
      if (name === "crops") this.kind = type ?? "uint8";
      else {
        const data = new Float32Array(shape[1] * shape[2] * shape[3]);
        this.memory[name] = { shape: shape.slice(1), data };
      }
    }
    this.first = this.statistics = await this.learn(frame);
    this.solve();
    // What the box head sees of the given box is taken off what it sees later.
    const { after } = await this.spectra(frame, [this.centre]);
    this.own = between(after.boxes.data, this.n, [0, 0]);
  }

  // Returns the box x, y, w, h and the score in [0, 1].
  async update(frame) {
    this.frame++;
    const t = this.tracking, enough = this.enough();
    let found = await this.look(frame, [this.centre]);
    if (clamp(found.value, 0, 1) < t.look_again_below) {
      // Hardly seen: look where it seems to be, where the window does not fade it.
      const other = await this.look(frame, [found.centre]);
      if (other.rank > found.rank) found = other;
      if (found.value < enough) {
        // Not enough to learn from: look around its last place for what is, to be learned once seen again.
        const window = this.windows(this.size);
        const places = NEARBY.map((offset) => this.centre.map((at, k) => at + offset[k] * window[k]));
        const around = await this.look(frame, places);
        if (around.rank > found.rank && around.value >= enough)
          found = enough > t.lost_below // else it would not be seen
            ? { ...around, value: enough * (1 - Number.EPSILON) } : around;
      }
    }
    if (found.value >= t.lost_below) { // else it is not seen, and stays where it was
      this.centre = found.centre.map((at, k) => {
        // Inside the frame, or no further out than before.
        const before = this.centre[k], side = [frame.width, frame.height][k];
        return clamp(at, Math.min(before, 0), Math.max(before, side));
      });
      this.size = this.size.map((side, k) => side + t.scale_rate * (found.size[k] - side));
    }
    const score = clamp(found.value, 0, 1);
    // Of a frame that is not sure nothing is learned.
    if (this.frame % t.update_interval === 0 && score >= enough) {
      this.statistics = blend(this.statistics, await this.learn(frame), this.filter.learning_rate);
      this.solve();
    }
    return [...this.centre.map((at, k) => at - this.size[k] / 2), ...this.size, score];
  }

  // The score from which a frame is learned from.
  enough() {
    return Math.max(this.tracking.uncertain_below, this.tracking.lost_below);
  }

  // Of several windows the best one's rank, the response's height, and the target's place and size there.
  async look(frame, centres) {
    const { spectra, after } = await this.spectra(frame, centres), { n, size, tracking: t } = this;
    const peaks = spectra.map((one, b) => {
      // Where the box head thinks the target unlikely the response counts less; its middle is no motion.
      const likely = range(n * n).map((i) => {
        const x = ((i % n) + (n >> 1)) % n, y = (Math.floor(i / n) + (n >> 1)) % n;
        return 1 / (1 + Math.exp(-after.boxes.data[((b * 5 + 4) * n + y) * n + x]));
      });
      const weight = likely.map((p) => (UNLIKELY + (1 - UNLIKELY) * p) ** t.classification);
      const weighted = peak(dft(map(this.respond(one), n).map((height, i) => height * weight[i]), n), n);
      const { value: rank, shift } = weighted, [x, y] = shift.map((at) => (Math.round(at) + n) % n);
      // The score is the response's own, less where the box head doubts it.
      const sure = Math.min(likely[y * n + x] / Math.max(t.doubted_below, 1e-9), 1);
      return { rank: rank * sure, shift, value: (rank / weight[y * n + x]) * sure };
    });
    const ranks = peaks.map(({ rank }) => rank), best = ranks.indexOf(Math.max(...ranks));
    const { rank, value, shift } = peaks[best], window = this.windows(size);
    const centre = centres[best].map((at, k) => at + (shift[k] * STRIDE * window[k]) / this.side);
    if (value < this.enough()) return { rank, value, size, centre };
    // The box head's step in sizes, and its change of width and height in logarithms, seen from the peak.
    const seen = between(after.boxes.data.subarray(best * 5 * n * n), n, shift);
    const change = seen.map((part, k) => clamp(part - this.own[k], -1, 1));
    return {
      rank,
      value,
      size: size.map((side, k) => side * Math.exp(t.box_rate * change[2 + k])),
      centre: centre.map((at, k) => at + t.box_centre * change[k] * size[k]),
    };
  }

  // What one frame adds to the filter: A (frequencies, D, D), r (frequencies, D), the template's energy.
  // The network's memory of the target alone goes on, not that of its contexts.
  async learn(frame) {
    const { D } = this;
    let offsets = AROUND.slice(0, 1 + this.filter.contexts), contextWeight = this.filter.context_weight;
    if (this.frame) { // later than the first frame some of the contexts at a time, which weigh as much as all
      const { context_turns: turns = 1, update_interval } = this.tracking, turn = Math.floor(this.frame / update_interval);
      offsets = offsets.filter((_, k) => k === 0 || (k - 1) % turns === turn % turns);
      contextWeight *= turns;
    }
    const centres = offsets.map((offset) => this.centre.map((at, k) => at + offset[k] * this.size[k]));
    const { spectra, after, energy } = await this.spectra(frame, centres);
    for (const [name, value] of Object.entries(this.memory))
      if (name !== "memory.template" || this.frame === 0) // what the box head saw of the given box stays
        value.data = after[name === "memory.template" ? "next.recent" : name.replace("memory", "next")].data.slice(
          0, value.data.length);
    const F = this.label[0].length, [P, Q] = this.label;
    const gram = complex(F * D * D), cross = complex(F * D);
    for (let f = 0; f < F; f++)
      for (let i = 0; i < D; i++) {
        const [re, im] = spectra[0][i];
        cross[0][f * D + i] = P[f] * re[f] + Q[f] * im[f];
        cross[1][f * D + i] = Q[f] * re[f] - P[f] * im[f];
        spectra.forEach((one, crop) => {
          const weight = crop === 0 ? 1 : contextWeight;
          const a = weight * one[i][0][f], b = weight * one[i][1][f];
          for (let j = 0; j < D; j++) {
            const c = one[j][0][f], d = one[j][1][f];
            gram[0][(f * D + i) * D + j] += a * c + b * d;
            gram[1][(f * D + i) * D + j] += a * d - b * c;
          }
        });
      }
    return [gram, cross, [Float64Array.of(energy)]];
  }

  // The filter: (A + lambda e I)^-1 r in every frequency, of what was learned and the first frame's share, by
  // elimination; A is positive definite, so without pivots.
  solve() {
    const { D } = this, statistics = blend(this.statistics, this.first, this.filter.first_share ?? 0);
    const [gram, cross, [[energy]]] = statistics, [X, Y] = cross.map((part) => part.slice());
    for (let at = 0; at < X.length; at += D) {
      const [A, B] = gram.map((part) => part.slice(at * D, (at + D) * D));
      for (let i = 0; i < D; i++) A[i * D + i] += this.filter.regularization * energy;
      for (let k = 0; k < D; k++) {
        const p = A[k * D + k], q = B[k * D + k], norm = p * p + q * q;
        const divide = (a, b) => [(a * p + b * q) / norm, (b * p - a * q) / norm];
        for (let j = k; j < D; j++) [A[k * D + j], B[k * D + j]] = divide(A[k * D + j], B[k * D + j]);
        [X[at + k], Y[at + k]] = divide(X[at + k], Y[at + k]);
        for (let i = 0; i < D; i++) {
          if (i === k) continue;
          const a = A[i * D + k], b = B[i * D + k];
          for (let j = k; j < D; j++) {
            A[i * D + j] -= a * A[k * D + j] - b * B[k * D + j];
            B[i * D + j] -= a * B[k * D + j] + b * A[k * D + j];
          }
          X[at + i] -= a * X[at + k] - b * Y[at + k];
          Y[at + i] -= a * Y[at + k] + b * X[at + k];
        }
      }
    }
    this.solution = [X, Y];
  }

  // Half spectrum of the response: the filter times the features, summed over channels.
  respond(spectrum) {
    const { D } = this, [X, Y] = this.solution, sum = complex(X.length / D);
    spectrum.forEach(([re, im], i) => re.forEach((_, f) => {
      sum[0][f] += X[f * D + i] * re[f] - Y[f * D + i] * im[f];
      sum[1][f] += X[f * D + i] * im[f] + Y[f * D + i] * re[f];
    }));
    return sum;
  }

  // Half spectra (B, D) of the windowed features of B crops, all that the network gave, and the first one's energy.
  async spectra(frame, centres) {
    const B = centres.length, { side, n, D, size } = this, inputs = {};
    const crops = new (this.kind === "float32" ? Float32Array : Uint8Array)(B * 3 * side * side);
    centres.forEach((centre, i) => crops.set(this.crop(frame, centre, size), i * 3 * side * side));
    inputs.crops = new ort.Tensor(this.kind, crops, [B, 3, side, side]);
    for (const [name, { shape, data }] of Object.entries(this.memory)) {
      const repeated = new Float32Array(B * data.length);
      for (let i = 0; i < B; i++) repeated.set(data, i * data.length);
      inputs[name] = new ort.Tensor("float32", repeated, [B, ...shape]);
    }
    const after = await this.session.run(inputs);
    const windowed = after.features.data.map((value, i) => value * this.window[i % (n * n)]);
    const spectrum = (i) => dft(windowed.subarray(i * n * n, (i + 1) * n * n), n);
    const spectra = range(B).map((b) => range(D).map((i) => spectrum(b * D + i)));
    const energy = windowed.subarray(0, D * n * n).reduce((sum, value) => sum + value * value, 0);
    return { spectra, after, energy };
  }

  windows(size) {
    const factor = 1 + this.tracking.padding;
    return this.tracking.crop === "stretch" ? size.map((side) => factor * side)
      : Array(2).fill(factor * Math.sqrt(size[0] * size[1]));
  }

  // A window as a square crop (3, side, side). Of a large one blocks of 2, 4, 8, ... pixels are averaged first, and what
  // lies outside the frame has its mean colour. Uint8ClampedArray rounds.
  crop(frame, centre, size) {
    const { side } = this, { width, height, data } = frame, window = this.windows(size), colour = meanColour(frame);
    const block = window.map((w) => 2 ** Math.floor(Math.log2(Math.max(1, w / side)))), area = block[0] * block[1];
    const low = centre.map((at, k) => (area === 1 ? 0 : Math.max(Math.floor(at - window[k] / 2 - block[k]), 0)));
    const step = window.map((w, k) => w / side / block[k]);
    const corner = centre.map((at, k) => (at - low[k]) / block[k] - 0.5 - (step[k] * (side - 1)) / 2);
    const pixel = (x, y, c) => {
      let sum = 0;
      for (let j = low[1] + y * block[1]; j < low[1] + (y + 1) * block[1]; j++)
        for (let i = low[0] + x * block[0]; i < low[0] + (x + 1) * block[0]; i++)
          sum += i >= 0 && j >= 0 && i < width && j < height ? data[(j * width + i) * 3 + c] : colour[c];
      return area === 1 ? sum : Math.round(sum / area);
    };
    const out = new Uint8ClampedArray(3 * side * side);
    for (let v = 0; v < side; v++)
      for (let u = 0; u < side; u++) {
        const x = corner[0] + step[0] * u, y = corner[1] + step[1] * v, i = Math.floor(x), j = Math.floor(y);
        const line = (j, c) => (i + 1 - x) * pixel(i, j, c) + (x - i) * pixel(i + 1, j, c);
        for (let c = 0; c < 3; c++)
          out[(c * side + v) * side + u] = (j + 1 - y) * line(j, c) + (y - j) * line(j + 1, c);
      }
    return out;
  }
}

// Half spectrum of an n x n map by the transform's definition; n is 15 or 31 and no power of two.
function dft(map, n) {
  const half = (n >> 1) + 1, rows = complex(n * half), out = complex(n * half);
  const [cos, sin] = [Math.cos, Math.sin].map((wave) => range(n).map((i) => wave((2 * Math.PI * i) / n)));
  for (let k = 0; k < half; k++)
    for (let y = 0; y < n; y++)
      for (let x = 0; x < n; x++) {
        rows[0][y * half + k] += map[y * n + x] * cos[(k * x) % n];
        rows[1][y * half + k] -= map[y * n + x] * sin[(k * x) % n];
      }
  for (let l = 0; l < n; l++)
    for (let y = 0; y < n; y++)
      for (let k = 0; k < half; k++) {
        const re = rows[0][y * half + k], im = rows[1][y * half + k], c = cos[(l * y) % n], s = sin[(l * y) % n];
        out[0][l * half + k] += re * c + im * s;
        out[1][l * half + k] += im * c - re * s;
      }
  return out;
}

// The n x n map of a half spectrum.
function map([re, im], n) {
  const half = (n >> 1) + 1, turn = (2 * Math.PI) / n, out = new Float64Array(n * n);
  for (let y = 0; y < n; y++)
    for (let x = 0; x < n; x++) {
      let sum = 0;
      for (let l = 0; l < n; l++)
        for (let k = 0; k < half; k++) {
          const angle = turn * ((l * y + k * x) % n), twice = k === 0 || 2 * k === n ? 1 : 2;
          sum += twice * (re[l * half + k] * Math.cos(angle) - im[l * half + k] * Math.sin(angle));
        }
      out[y * n + x] = sum / (n * n);
    }
  return out;
}

// Highest value, and its place x, y, of a half spectrum's map among places in cells, which may lie between cells.
function highest([re, im], n, ys, xs) {
  const half = (n >> 1) + 1, turn = (2 * Math.PI) / n, best = { value: -Infinity };
  for (const y of ys) {
    const line = complex(half);
    for (let l = 0; l < n; l++) {
      const angle = turn * (l < n / 2 ? l : l - n) * y, c = Math.cos(angle), s = Math.sin(angle);
      for (let k = 0; k < half; k++) {
        line[0][k] += re[l * half + k] * c - im[l * half + k] * s;
        line[1][k] += re[l * half + k] * s + im[l * half + k] * c;
      }
    }
    for (const x of xs) {
      let value = 0;
      for (let k = 0; k < half; k++) {
        const twice = k === 0 || 2 * k === n ? 1 : 2; // the other half is the conjugate
        value += twice * (line[0][k] * Math.cos(turn * k * x) - line[1][k] * Math.sin(turn * k * x));
      }
      if (value / (n * n) > best.value) Object.assign(best, { value: value / (n * n), place: [x, y] });
    }
  }
  return best;
}

// Height of the peak and how far it is from no motion, x, y in cells: found on the cells, then on ever finer grids.
function peak(spectrum, n) {
  let best = highest(spectrum, n, range(n), range(n));
  const wrap = best.place.map((at) => (at > (n - 1) >> 1 ? n : 0));
  for (const reach of [1, 1 / 8, 1 / 64, 1 / 512]) {
    const [xs, ys] = best.place.map((at) => range(17).map((i) => at + reach * (i / 8 - 1)));
    best = highest(spectrum, n, ys, xs);
  }
  return { value: best.value, shift: best.place.map((at, k) => at - wrap[k]) };
}

// Four maps at x, y in cells from the middle, bilinear between the cells around.
function between(maps, n, shift) {
  const [x, y] = shift.map((at) => clamp(at + (n - 1) / 2, 0, n - 1));
  const [left, top] = [x, y].map((at) => Math.min(Math.floor(at), n - 2)), across = x - left, down = y - top;
  return range(4).map((map) => {
    const at = (row, column) => maps[(map * n + top + row) * n + left + column];
    const line = (row) => (1 - across) * at(row, 0) + across * at(row, 1);
    return (1 - down) * line(0) + down * line(1);
  });
}

// Statistics: lists of lists of arrays.
const blend = (old, fresh, rate) => old.map((part, i) => part.map((array, j) =>
  array.map((value, k) => (1 - rate) * value + rate * fresh[i][j][k])));
const complex = (length) => [new Float64Array(length), new Float64Array(length)];
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const range = (n) => Array.from({ length: n }, (_, i) => i);
const outer = (line) => line.flatMap((a) => line.map((b) => a * b));

function meanColour({ width, height, data }) {
  const sum = [0, 0, 0], [columns, rows] = [Math.ceil(width / 64), Math.ceil(height / 64)];
  for (let y = 0; y < height; y += rows)
    for (let x = 0; x < width; x += columns) for (let c = 0; c < 3; c++) sum[c] += data[(y * width + x) * 3 + c];
  return sum.map((value) => value / (Math.ceil(width / columns) * Math.ceil(height / rows)));
}

// The metadata of an ONNX file: field 14 of the protocol buffer's top level, each an entry of key (1) and value (2).
function metadata(bytes) {
  const fields = (buffer) => {
    const found = [];
    let at = 0;
    const number = (value = 0, power = 1) => {
      const byte = buffer[at++], sum = value + (byte & 127) * power;
      return byte < 128 ? sum : number(sum, power * 128);
    };
    while (at < buffer.length) {
      const tag = number(), value = number(); // a value, or the length of what follows
      if ((tag & 7) === 2) found.push([tag >> 3, buffer.subarray(at, (at += value))]);
    }
    return found;
  };
  const entries = fields(bytes).filter(([field]) => field === 14).map(([, entry]) => Object.fromEntries(fields(entry)));
  return Object.fromEntries(entries.map((entry) => [entry[1].toString(), entry[2]?.toString() ?? ""]));
}

function readPpm(file) {
  const bytes = fs.readFileSync(file);
  const header = /^P6\s+(?:#.*\s+)*(\d+)\s+(\d+)\s+255\s/.exec(bytes.toString("latin1", 0, 200));
  if (!header) throw new Error(`${file}: not a PPM image of eight bits (P6); have ffmpeg write -pix_fmt rgb24`);
  return { width: +header[1], height: +header[2], data: bytes.subarray(header[0].length) };
}

const [model, folder, box] = process.argv.slice(2), given = (box ?? "").split(",").map(Number);
if (given.length !== 4 || !given.every(Number.isFinite) || given[2] <= 0 || given[3] <= 0)
  throw new Error("node track.mjs MODEL.onnx FOLDER x,y,w,h: four numbers in pixels, w and h above 0");
process.stdout.on("error", (error) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(141); // whoever read the boxes has left
});
const tracker = await Tracker.open(model);
console.log("frame,x,y,w,h,score");
const files = fs.readdirSync(folder).filter((name) => name.endsWith(".ppm"))
  .sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
for (const [number, name] of files.entries()) {
  const frame = readPpm(path.join(folder, name));
  if (number === 0) await tracker.init(frame, given);
  const row = number === 0 ? [...given, 1] : await tracker.update(frame);
  console.log([number, ...row.map((value, i) => value.toFixed(i < 4 ? 2 : 3))].join(","));
}
