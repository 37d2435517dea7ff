// The sea, the coast and its waterlines, drawn away from the page: this module is also the worker that runs it.
// The sea is made once per size; the coast once per destroyed memory, and handed over as a finished picture.

const CELL = 3; // pixels between points of the field
const COARSE = 5; // the votes of memories are taken at every fifth point
const WATERLINES = [[4, 0.72], [8.5, 0.5], [14, 0.36], [20.5, 0.25], [28, 0.17], [37, 0.11], [48, 0.06]];
const CONTOURS = [0.3, 0.37, 0.43, 0.48, 0.53, 0.58, 0.64, 0.71];
const FAR = 1e6;

const lattice = (x, y, seed) => {
  let h = Math.imul(x, 374761393) ^ Math.imul(y, 668265263) ^ Math.imul(seed, 2147483647);
  h = Math.imul(h ^ (h >>> 13), 1274126177);
  return ((h ^ (h >>> 16)) >>> 0) / 4294967296;
};
const ease = (t) => t * t * (3 - 2 * t);
const mix = (a, b, t) => a + (b - a) * t;

export function noise(x, y, seed) {
  const i = Math.floor(x), j = Math.floor(y), u = ease(x - i), v = ease(y - j);
  return mix(
    mix(lattice(i, j, seed), lattice(i + 1, j, seed), u),
    mix(lattice(i, j + 1, seed), lattice(i + 1, j + 1, seed), u),
    v,
  );
}

function fractal(x, y, octaves, seed) {
  let sum = 0, size = 1, total = 0;
  for (let o = 0; o < octaves; o++) {
    sum += size * noise(x, y, seed + o);
    total += size;
    size *= 0.5;
    x = x * 2.03 + 17.1;
    y = y * 2.03 + 9.2;
  }
  return sum / total;
}

// Closed lines where `values` crosses `level`. The outermost points must lie below it.
function contours(values, columns, rows, level) {
  const path = new Path2D();
  const next = new Map();
  const cut = (a, b) => (level - a) / (b - a);
  // Each crossed edge of the grid has a number; a cell joins the edges it crosses, higher ground at the left.
  const across = (i, j) => (j * columns + i) * 2;
  const down = (i, j) => (j * columns + i) * 2 + 1;
  for (let j = 0; j < rows - 1; j++) {
    for (let i = 0; i < columns - 1; i++) {
      const at = j * columns + i;
      const kind = (values[at] > level) | ((values[at + 1] > level) << 1) |
        ((values[at + columns + 1] > level) << 2) | ((values[at + columns] > level) << 3);
      if (kind === 0 || kind === 15) continue;
      const n = across(i, j), s = across(i, j + 1), w = down(i, j), e = down(i + 1, j);
      switch (kind) {
        case 1: next.set(n, w); break;
        case 2: next.set(e, n); break;
        case 3: next.set(e, w); break;
        case 4: next.set(s, e); break;
        case 5: next.set(n, w); next.set(s, e); break;
        case 6: next.set(s, n); break;
        case 7: next.set(s, w); break;
        case 8: next.set(w, s); break;
        case 9: next.set(n, s); break;
        case 10: next.set(e, n); next.set(w, s); break;
        case 11: next.set(e, s); break;
        case 12: next.set(w, e); break;
        case 13: next.set(n, e); break;
        case 14: next.set(w, n); break;
      }
    }
  }
  const place = (edge) => {
    const at = edge >> 1, i = at % columns, j = (at - i) / columns;
    return edge & 1
      ? [(i - 1) * CELL, (j - 1 + cut(values[at], values[at + columns])) * CELL]
      : [(i - 1 + cut(values[at], values[at + 1])) * CELL, (j - 1) * CELL];
  };
  while (next.size) {
    const start = next.keys().next().value;
    let edge = start, first = true;
    while (next.has(edge)) {
      const [x, y] = place(edge);
      if (first) path.moveTo(x, y);
      else path.lineTo(x, y);
      first = false;
      const following = next.get(edge);
      next.delete(edge);
      edge = following;
    }
    path.closePath();
  }
  return path;
}

// Distance in pixels of each point from the nearest one that is land, exact (Felzenszwalb and Huttenlocher).
function distances(field, columns, rows) {
  const out = new Float32Array(columns * rows);
  for (let k = 0; k < out.length; k++) out[k] = field[k] > 0 ? 0 : FAR;
  const longest = Math.max(columns, rows);
  const line = new Float32Array(longest), bound = new Float32Array(longest + 1), hull = new Int32Array(longest);
  const pass = (offset, stride, length) => {
    let k = 0;
    for (let q = 0; q < length; q++) line[q] = out[offset + q * stride];
    hull[0] = 0;
    bound[0] = -FAR;
    bound[1] = FAR;
    for (let q = 1; q < length; q++) {
      let s;
      do {
        const r = hull[k];
        s = (line[q] + q * q - line[r] - r * r) / (2 * (q - r));
      } while (s <= bound[k] && --k >= 0);
      k++;
      hull[k] = q;
      bound[k] = s;
      bound[k + 1] = FAR;
    }
    k = 0;
    for (let q = 0; q < length; q++) {
      while (bound[k + 1] < q) k++;
      out[offset + q * stride] = (q - hull[k]) ** 2 + line[hull[k]];
    }
  };
  for (let i = 0; i < columns; i++) pass(i, columns, rows);
  for (let j = 0; j < rows; j++) pass(j * columns, 1, columns);
  for (let k = 0; k < out.length; k++) out[k] = Math.sqrt(out[k]) * CELL;
  return out;
}

// Steps of the grid would show in the engraving.
function soften(values, columns, rows) {
  const out = values.slice();
  for (let j = 1; j < rows - 1; j++) {
    for (let i = 1; i < columns - 1; i++) {
      const k = j * columns + i;
      out[k] = (4 * values[k] + 2 * (values[k - 1] + values[k + 1] + values[k - columns] + values[k + columns]) +
        values[k - columns - 1] + values[k - columns + 1] + values[k + columns - 1] + values[k + columns + 1]) / 16;
    }
  }
  return out;
}

function rim(values, columns, rows, value) {
  for (let i = 0; i < columns; i++) values[i] = values[(rows - 1) * columns + i] = value;
  for (let j = 0; j < rows; j++) values[j * columns] = values[j * columns + columns - 1] = value;
}

export const INKS = ["paper", "foam", "ink-2", "sea", "sea-light", "sea-deep"];

export class Coast {
  // width, height, childhood: pixels of the page. scale: pixels of the picture for each. inks: colors by name.
  constructor({ width, height, childhood, scale, inks }) {
    Object.assign(this, { width, height, childhood, scale, inks });
    this.columns = Math.ceil(width / CELL) + 3;
    this.rows = Math.ceil(height / CELL) + 3;
    this.makeSea();
  }

  makeSea() {
    const { columns, rows, width, height } = this;
    const rough = (this.rough = new Float32Array(columns * rows));
    const depth = new Float32Array(columns * rows);
    for (let j = 0; j < rows; j++) {
      for (let i = 0; i < columns; i++) {
        const x = i * CELL, y = j * CELL, k = j * columns + i;
        rough[k] = 1.5 * (fractal(x / 105, y / 105, 3, 5) - 0.5) + 0.62 * (fractal(x / 21, y / 21, 3, 31) - 0.5);
        depth[k] = fractal(x / 150 + 40, y / 150, 4, 77);
      }
    }
    this.sea = new OffscreenCanvas(Math.round(width * this.scale), Math.round(height * this.scale));
    const ctx = this.sea.getContext("2d");
    ctx.scale(this.scale, this.scale);
    this.paintDepth(ctx, depth);
    rim(depth, columns, rows, 0);
    ctx.lineWidth = 1;
    ctx.strokeStyle = this.inks["foam"];
    CONTOURS.forEach((level, i) => {
      ctx.globalAlpha = i % 4 === 2 ? 0.13 : 0.075;
      ctx.stroke(contours(depth, columns, rows, level));
    });
    ctx.globalAlpha = 1;
  }

  // Two tones of sea, light where it is shallow; one small picture, stretched.
  paintDepth(ctx, depth) {
    const { columns, rows } = this;
    const small = new OffscreenCanvas(Math.ceil(columns / 2), Math.ceil(rows / 2));
    const brush = small.getContext("2d");
    const image = brush.createImageData(small.width, small.height);
    const tone = (name) => [1, 3, 5].map((at) => parseInt(this.inks[name].slice(at, at + 2), 16));
    const light = tone("sea-light"), sea = tone("sea"), deep = tone("sea-deep");
    for (let j = 0; j < small.height; j++) {
      for (let i = 0; i < small.width; i++) {
        const d = depth[Math.min(rows - 1, j * 2) * columns + Math.min(columns - 1, i * 2)];
        const t = (d - 0.5) * 1.5 + 0.16 * (i / small.width - 0.5), grain = (lattice(i, j, 3) - 0.5) * 2.4;
        const to = t > 0 ? light : deep, share = Math.min(0.6, Math.abs(t));
        const k = (j * small.width + i) * 4;
        for (let c = 0; c < 3; c++) image.data[k + c] = mix(sea[c], to[c], share) + grain;
        image.data[k + 3] = 255;
      }
    }
    brush.putImageData(image, 0, 0);
    ctx.imageSmoothingQuality = "high";
    ctx.drawImage(small, 0, 0, small.width * CELL * 2, small.height * CELL * 2);
  }

  // How white each point is: land above zero. Memories vote by nearness, those that are kept have no say.
  field(memories) {
    const { columns, rows, width, height, childhood, rough } = this;
    const sea = width - childhood;
    const votes = memories.filter((m) => m.x !== null && m.state !== "protected").map((m) => [
      childhood + m.x * sea, m.y * height, m.state === "destroyed" ? 1 : -1,
    ]);
    const reach = Math.max(26, 0.62 * Math.sqrt((sea * height) / Math.max(8, memories.length)));
    const wide = Math.ceil(columns / COARSE) + 2, tall = Math.ceil(rows / COARSE) + 2;
    const coarse = new Float32Array(wide * tall);
    for (let j = 0; j < tall; j++) {
      for (let i = 0; i < wide; i++) {
        const x = i * COARSE * CELL, y = j * COARSE * CELL;
        let near = 0, sum = 1e-9, band = 0, all = 1e-9;
        for (const [at, height_, vote] of votes) {
          const dx = (x - at) / reach, dy = (y - height_) / reach;
          const weight = 1 / (1 + (dx * dx + dy * dy) ** 2), column = 1 / (1 + (dx * dx * 0.16) ** 2);
          near += weight * vote;
          sum += weight;
          band += column * vote;
          all += column;
        }
        coarse[j * wide + i] = votes.length ? 0.95 * (near / sum) + 0.3 * (band / all) : -1;
      }
    }
    const out = new Float32Array(columns * rows);
    for (let j = 0; j < rows; j++) {
      const v = j / COARSE, jj = Math.floor(v), fv = v - jj;
      for (let i = 0; i < columns; i++) {
        const u = i / COARSE, ii = Math.floor(u), fu = u - ii, at = jj * wide + ii;
        const vote = mix(mix(coarse[at], coarse[at + 1], fu), mix(coarse[at + wide], coarse[at + wide + 1], fu), fv);
        const x = i * CELL;
        const east = Math.max(0, (x - (width - 62)) / 34), west = Math.max(0, (childhood + 26 - x) / 40);
        out[j * columns + i] = vote + rough[j * columns + i] + east * 1.6 - west * 1.5;
      }
    }
    for (const memory of memories) if (memory.x !== null && memory.state === "destroyed") this.raise(out, memory);
    return out;
  }

  // The place of what is gone is land, whatever its neighbors are: at least an island.
  raise(field, memory) {
    const { columns, rows, width, height, childhood, rough } = this;
    const print = this.sizeOf(memory);
    const x = childhood + memory.x * (width - childhood), y = memory.y * height;
    const halfX = print[0] / 2 + 5, halfY = print[1] / 2 + 5, round = 44;
    const from = (middle, half) => Math.max(0, Math.floor((middle - half - round) / CELL));
    const to = (middle, half, most) => Math.min(most, Math.ceil((middle + half + round) / CELL));
    for (let j = from(y, halfY); j < to(y, halfY, rows); j++) {
      for (let i = from(x, halfX); i < to(x, halfX, columns); i++) {
        const dx = Math.max(0, Math.abs(i * CELL - x) - halfX), dy = Math.max(0, Math.abs(j * CELL - y) - halfY);
        const k = j * columns + i;
        field[k] = Math.max(field[k], 0.5 - Math.hypot(dx, dy) / 17 + (dx + dy ? rough[k] * 0.7 : 0));
      }
    }
  }

  // Width and height of a print in pixels: as the run's stylesheet has it (erasure/session/map_css.py).
  sizeOf(memory) {
    const unit = Math.min((this.width - this.childhood) / 900, this.height / 745);
    return [memory.w * 900 * unit, memory.h * 745 * unit];
  }

  // The coast as it is with these memories, as a picture. over: all white.
  picture(memories, over) {
    const { columns, rows, width, height } = this;
    const canvas = new OffscreenCanvas(this.sea.width, this.sea.height), ctx = canvas.getContext("2d");
    ctx.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    ctx.fillStyle = this.inks.paper;
    if (over) {
      ctx.fillRect(0, 0, width, height);
      return canvas.transferToImageBitmap();
    }
    const field = this.field(memories);
    ctx.drawImage(this.sea, 0, 0, width, height);
    const away = soften(distances(field, columns, rows), columns, rows);
    rim(away, columns, rows, 0);
    rim(field, columns, rows, -9);
    this.engrave(ctx, away, contours(field, columns, rows, 0));
    return canvas.transferToImageBitmap();
  }

  engrave(ctx, away, land) {
    const { columns, rows } = this;
    const foam = this.inks["foam"];
    ctx.fillStyle = foam;
    for (const [reach, strength] of [[34, 0.07], [14, 0.1]]) {
      // Everything but the open sea: the shallows before the coast.
      const shallows = new Path2D();
      shallows.rect(-9 * CELL, -9 * CELL, this.width + 18 * CELL, this.height + 18 * CELL);
      shallows.addPath(contours(away, columns, rows, reach));
      ctx.globalAlpha = strength;
      ctx.fill(shallows, "evenodd");
    }
    ctx.strokeStyle = foam;
    for (const [reach, strength] of WATERLINES) {
      ctx.globalAlpha = strength;
      ctx.lineWidth = reach < 10 ? 1 : 0.8;
      ctx.stroke(contours(away, columns, rows, reach));
    }
    ctx.globalAlpha = 1;
    ctx.fillStyle = this.inks["paper"];
    ctx.shadowColor = "rgb(15 26 33 / 55%)";
    ctx.shadowBlur = 5 * this.scale;
    ctx.fill(land, "evenodd");
    ctx.shadowColor = "transparent";
    ctx.globalAlpha = 0.6;
    ctx.lineWidth = 0.9;
    ctx.strokeStyle = this.inks["ink-2"];
    ctx.stroke(land);
    ctx.globalAlpha = 1;
  }
}

export const here = import.meta.url;

// As a worker: measures once per size, then one picture for each question.
if (typeof WorkerGlobalScope !== "undefined" && self instanceof WorkerGlobalScope) {
  let coast = null;
  self.addEventListener("message", ({ data }) => {
    if (data.measures) coast = new Coast(data.measures);
    const picture = coast.picture(data.memories, data.over);
    self.postMessage({ ticket: data.ticket, picture }, [picture]);
  });
}
