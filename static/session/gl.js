// The layer above the page's own: crossfades of the coast and of the stage in raw WebGL2, where a real graphics
// processor draws them. Everything it shows lies ready underneath in plain HTML, so taking it away takes nothing.

const SOFTWARE = /swiftshader|llvmpipe|softpipe|basic render|software/i;
const TOO_SLOW = 22; // milliseconds: the median of the first frames above which the layer goes
const WATCHED = 90; // frames

const VERTEX = `#version 300 es
out vec2 at;
void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1) * 2.;
  at = vec2(corner.x, 1. - corner.y);
  gl_Position = vec4(corner * 2. - 1., 0., 1.);
}`;

const HEAD = `#version 300 es
precision highp float;
in vec2 at;
out vec4 color;
uniform sampler2D before, after;
uniform float progress; // of the crossfade, 0 to 1
uniform vec2 size; // in pixels of the page
float lattice(vec2 p) {
  uvec2 q = uvec2(ivec2(p)) * uvec2(374761393u, 668265263u);
  uint h = (q.x ^ q.y) * 1274126177u;
  return float((h ^ (h >> 16u)) & 0xffffu) / 65535.;
}
float smooth_noise(vec2 p) {
  vec2 i = floor(p), f = p - i;
  f *= f * (3. - 2. * f);
  return mix(mix(lattice(i), lattice(i + vec2(1, 0)), f.x), mix(lattice(i + vec2(0, 1)), lattice(i + vec2(1, 1)), f.x), f.y);
}
float noise(vec2 p) {
  return (4. * smooth_noise(p) + 2. * smooth_noise(p * 2.03 + 17.) + smooth_noise(p * 4.1 + 9.)) / 7.;
}
`;

// The paper comes in along a ragged edge, and the surf runs ahead of it.
const SHORE = `${HEAD}
void main() {
  vec4 old = texture(before, at), fresh = texture(after, at);
  vec2 p = at * size;
  float turn = noise(p / 34.) * .78 + noise(p / 7.) * .22;
  float front = progress * 1.5 - .25;
  float come = smoothstep(turn - .16, turn + .16, front);
  float changed = clamp(distance(old.rgb, fresh.rgb) * 2., 0., 1.);
  float surf = changed * come * (1. - come) * 1.6;
  color = vec4(mix(mix(old.rgb, fresh.rgb, come), vec3(.725, .804, .835), surf), 1.);
}`;

// One real frame becomes the next patch by patch; color drains to the chapter's own, then holes open.
const STAGE = `${HEAD}
uniform float pass_from, pass_to; // 0 untouched, 1 gone
uniform vec3 tint, paper;
uniform float seed;
uniform vec4 crop_before, crop_after; // offset and scale that cover the frame
void main() {
  vec2 p = at * size + seed * 61.;
  vec3 old = texture(before, at * crop_before.zw + crop_before.xy).rgb;
  vec3 fresh = texture(after, at * crop_after.zw + crop_after.xy).rgb;
  float patch_ = noise(p / 46.);
  float come = smoothstep(patch_ - .2, patch_ + .2, progress * 1.4 - .2);
  vec3 seen = mix(old, fresh, come);
  float gone = mix(pass_from, pass_to, come);
  float light = dot(seen, vec3(.2126, .7152, .0722));
  vec3 washed = mix(vec3(light), tint * (.35 + .9 * light), .55);
  float chroma = max(seen.r, max(seen.g, seen.b)) - min(seen.r, min(seen.g, seen.b));
  float hold = 1. - .6 * smoothstep(.25, .6, chroma); // the strongest color, her hair, goes last
  seen = mix(seen, washed, smoothstep(.2, .85, gone) * hold * .8);
  vec2 rim = min(at, 1. - at) * size;
  float edge = 1. - smoothstep(0., 70., min(rim.x, rim.y));
  float hole = noise(p / 27. + 5.) * .8 + noise(p / 5.) * .2 - edge * .16;
  float open = smoothstep(.42, 1.05, gone) * .8;
  float left = smoothstep(open - .035, open + .015, hole);
  float grain = step(.9, lattice(floor(p / 1.6))) * (1. - smoothstep(open, open + .07, hole));
  seen = mix(seen, seen * .72, grain * step(.3, gone) * .5);
  color = vec4(mix(paper, seen, left), 1.);
}`;

// The name of what draws, or "" where it cannot be drawn on.
function renderer(gl) {
  const named = gl.getExtension("WEBGL_debug_renderer_info");
  return String(gl.getParameter(named ? named.UNMASKED_RENDERER_WEBGL : gl.RENDERER) || "");
}

class Canvas {
  constructor(canvas, fragment, fail) {
    this.canvas = canvas;
    this.fail = fail;
    const gl = (this.gl = canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false }));
    if (!gl) throw new Error("no WebGL2");
    if (SOFTWARE.test(renderer(gl))) throw new Error("software");
    this.program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(this.program, shader);
    }
    gl.linkProgram(this.program);
    if (!gl.getProgramParameter(this.program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(this.program) || "link");
    gl.useProgram(this.program);
    this.places = {};
    gl.uniform1i(this.place("before"), 0);
    gl.uniform1i(this.place("after"), 1);
    this.textures = [null, null]; // before, after
    canvas.addEventListener("webglcontextlost", fail);
  }

  place(name) {
    return (this.places[name] ??= this.gl.getUniformLocation(this.program, name));
  }

  set(name, ...values) {
    this.gl[`uniform${values.length}f`](this.place(name), ...values);
  }

  upload(source) {
    const { gl } = this, texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    for (const [key, value] of [
      [gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE], [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE], [gl.TEXTURE_MIN_FILTER, gl.LINEAR],
    ]) gl.texParameteri(gl.TEXTURE_2D, key, value);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, source);
    return texture;
  }

  // The picture that is next; what was before the last one is deleted.
  next(source) {
    this.drop(0);
    this.textures = [this.textures[1], this.upload(source)];
  }

  drop(...which) {
    for (const i of which) {
      if (this.textures[i]) this.gl.deleteTexture(this.textures[i]);
      this.textures[i] = null;
    }
  }

  fit(width, height, scale) {
    const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
    if (this.canvas.width !== w || this.canvas.height !== h) Object.assign(this.canvas, { width: w, height: h });
    this.gl.viewport(0, 0, w, h);
    this.set("size", width, height);
  }

  draw(progress) {
    const { gl } = this;
    this.set("progress", progress);
    this.textures.forEach((texture, unit) => {
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(gl.TEXTURE_2D, texture || this.textures[1]);
    });
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  close() {
    this.drop(0, 1);
    this.canvas.removeEventListener("webglcontextlost", this.fail);
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
    this.canvas.remove();
  }
}

export class Layer {
  // Errors where this machine has no business with it: the caller goes on without.
  constructor(shore, stage) {
    this.shore = shore;
    this.stage = stage;
    this.turns = new Map(); // canvas: its crossfade under way
    this.frames = [];
    this.watching = true;
    const fall = () => this.fall();
    const make = (name) => Object.assign(document.createElement("canvas"), { className: name === "shore" ? "shore veil" : "veil-stage", hidden: true });
    this.sea = new Canvas(make("shore"), SHORE, fall);
    this.print = new Canvas(make("stage"), STAGE, fall);
    shore.before.after(this.sea.canvas);
    shore.veil = this;
    stage.veil = this;
    document.documentElement.dataset.layer = "gl";
  }

  // --- The coast ---
  // Keeps the picture for the next crossfade.
  hold(picture) {
    this.sea.drop(0, 1);
    this.sea.next(picture);
    this.end(this.sea);
  }

  // Whether the crossfade to `picture` is drawn here.
  cross(picture, duration) {
    this.sea.next(picture);
    this.sea.drop(...(this.sea.textures[0] ? [] : [0]));
    if (!this.sea.textures[0]) return false;
    this.sea.fit(this.shore.map.clientWidth, this.shore.map.clientHeight, Math.min(1.5, devicePixelRatio || 1));
    this.start(this.sea, duration, () => (this.sea.canvas.hidden = true));
    return true;
  }

  // --- The stage ---
  // Draws `image` in `box`, coming out of the one before. Whether it is drawn here.
  dissolve(box, image, { memory, tint, paper, duration }) {
    const { print } = this;
    const [width, height] = [box.clientWidth, box.clientHeight];
    if (!width || !height) return false;
    const [from, to] = [this.level ?? memory.level, memory.level].map((level) => level / memory.levels);
    const last = this.crop ?? null;
    this.crop = cover(image, width, height);
    print.next(image);
    if (print.canvas.parentNode !== box) box.append(print.canvas);
    print.fit(width, height, Math.min(2, devicePixelRatio || 1));
    print.set("pass_from", from);
    print.set("pass_to", to);
    print.set("seed", (memory.n || 1) % 97);
    print.set("tint", ...tint);
    print.set("paper", ...paper);
    print.set("crop_before", ...(last ?? this.crop));
    print.set("crop_after", ...this.crop);
    this.level = memory.level;
    this.start(print, print.textures[0] ? duration : 0, () => print.drop(0));
    return true;
  }

  // What is gone from the stage is gone from the graphics processor.
  clear() {
    this.end(this.print);
    this.print.drop(0, 1);
    this.print.canvas.remove();
    this.level = this.crop = null;
  }

  // --- Frames ---
  start(canvas, duration, done) {
    canvas.canvas.hidden = false;
    this.turns.set(canvas, { from: performance.now(), duration, done });
    canvas.draw(duration ? 0 : 1);
    this.last = null;
    this.asked ??= requestAnimationFrame((now) => this.frame(now));
  }

  end(canvas) {
    const turn = this.turns.get(canvas);
    this.turns.delete(canvas);
    if (!turn) return;
    canvas.draw(1);
    turn.done();
  }

  // Pausing, a hidden tab: what is under way is over, and stays as its pass left it.
  settle() {
    for (const canvas of [...this.turns.keys()]) this.end(canvas);
  }

  frame(now) {
    this.asked = null;
    this.watch(now);
    if (this.fallen) return;
    for (const [canvas, turn] of [...this.turns]) {
      const share = turn.duration ? Math.min(1, Math.max(0, (performance.now() - turn.from) / turn.duration)) : 1;
      if (share === 1) this.end(canvas);
      else canvas.draw(share);
    }
    if (this.turns.size) this.asked = requestAnimationFrame((next) => this.frame(next));
  }

  watch(now) {
    if (!this.watching) return;
    if (this.last !== null) this.frames.push(now - this.last);
    this.last = now;
    // More than half of them too slow: whatever the rest will be, their median is known. Who has a slow machine
    // does not wait for all of them, which there take longest.
    if (this.frames.filter((gap) => gap > TOO_SLOW).length > WATCHED / 2) this.fall();
    else if (this.frames.length >= WATCHED) this.watching = false;
  }

  // Too slow, or the context is lost: the page underneath is right as it is.
  fall() {
    if (this.fallen) return;
    this.fallen = true;
    if (this.asked) cancelAnimationFrame(this.asked);
    this.turns.clear();
    this.shore.veil = this.stage.veil = null;
    this.sea.close();
    this.print.close();
    document.documentElement.dataset.layer = "fallen";
  }
}

// Offset and scale by which an image covers a frame, as object-fit: cover does.
function cover(image, width, height) {
  const wide = image.naturalWidth / image.naturalHeight / (width / height);
  const [x, y] = wide > 1 ? [1 / wide, 1] : [1, wide];
  return [(1 - x) / 2, (1 - y) / 2, x, y];
}
