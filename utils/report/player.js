// Plays motions in 3D: play, scrub, orbit, zoom, speed, several in step. No library; one canvas a motion.
//
// Every element of class "player" with data-player="ID" is filled from the JSON in the element of that id, which
// `utils.report.player` writes: {fps, height, bones: [[parent, joint, side]], widths: [share of height a joint],
// motions: [{title, frames, joints: base64 of millimetres, packed}], marks: [{from, to, text, holds, row}]}.
"use strict";

(() => {
  const SPEEDS = [0.25, 0.5, 1, 2];
  const LIGHT = [0.35, 0.85, 0.4]; // towards the light, for shading and the shadow
  const WAY_POINTS = 300; // points of the way that are drawn

  // Colours of the page, read again when it turns dark or light: asking for them takes longer than drawing with them.
  let colours = new Map();
  function css(name) {
    if (!colours.has(name)) colours.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
    return colours.get(name);
  }
  function shaded(side, light) {
    const name = `${side} ${light}`;
    if (!colours.has(name)) colours.set(name, shade(css(`--${side}`), light));
    return colours.get(name);
  }

  // Differences of millimetres, one joint and axis after the other, low bytes before high ones, deflated.
  async function decode({ joints, frames }) {
    const packed = Uint8Array.from(atob(joints), (character) => character.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
    const count = bytes.length / 2, channels = count / frames, numbers = new Int16Array(count);
    for (let channel = 0; channel < channels; channel++) {
      let place = 0;
      for (let frame = 0; frame < frames; frame++) {
        const step = channel * frames + frame;
        place += bytes[step] | (bytes[count + step] << 8);
        numbers[frame * channels + channel] = place;
      }
    }
    return numbers;
  }

  // ---- One motion on its canvas ----

  class View {
    constructor(player, motion, numbers, canvas) {
      this.player = player;
      this.canvas = canvas;
      this.numbers = numbers;
      this.frames = motion.frames;
      this.joints = this.numbers.length / motion.frames / 3;
      this.follow = this.smoothWay();
    }

    at(frame, joint) {
      const place = (Math.min(frame, this.frames - 1) * this.joints + joint) * 3;
      return [this.numbers[place] / 1000, this.numbers[place + 1] / 1000, this.numbers[place + 2] / 1000];
    }

    // Between two frames the joints move in a straight line, so that slow motion is smooth.
    between(time) {
      const first = Math.min(Math.floor(time), this.frames - 1), share = Math.min(time, this.frames - 1) - first;
      const found = [];
      for (let joint = 0; joint < this.joints; joint++) {
        const a = this.at(first, joint), b = this.at(first + 1, joint);
        found.push([a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]), a[2] + share * (b[2] - a[2])]);
      }
      return found;
    }

    // The camera follows the root, smoothed over about a second.
    smoothWay() {
      const way = [], reach = Math.round(this.player.data.fps / 2);
      let x = 0, z = 0, first = 0, last = 0;
      for (let frame = 0; frame < this.frames; frame++) {
        for (; last <= Math.min(frame + reach, this.frames - 1); last++) {
          const root = this.at(last, 0);
          x += root[0]; z += root[2];
        }
        for (; first < frame - reach; first++) {
          const root = this.at(first, 0);
          x -= root[0]; z -= root[2];
        }
        way.push([x / (last - first), z / (last - first)]);
      }
      return way;
    }

    draw(time) {
      const { canvas, player } = this, scale = window.devicePixelRatio || 1;
      const width = canvas.clientWidth, height = canvas.clientHeight;
      if (!width) return;
      if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
      if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
      const context = canvas.getContext("2d");
      context.setTransform(scale, 0, 0, scale, 0, 0);
      context.clearRect(0, 0, width, height);
      const way = this.follow[Math.min(Math.round(time), this.frames - 1)];
      const camera = player.camera.seeing([way[0], 0.48 * player.data.height, way[1]], width, height, player.data.height);
      this.ground(context, camera, way);
      this.way(context, camera, time);
      const joints = this.between(time);
      this.shadow(context, camera, joints);
      this.body(context, camera, joints);
    }

    ground(context, camera, way) {
      const step = player_step(this.player.data.height), reach = 7;
      const centre = [Math.round(way[0] / step) * step, Math.round(way[1] / step) * step];
      context.strokeStyle = css("--grid");
      context.lineWidth = 1;
      for (let line = -reach; line <= reach; line++) {
        context.globalAlpha = 1 - (0.8 * Math.abs(line)) / reach;
        for (const ends of [
          [[line, -reach], [line, reach]],
          [[-reach, line], [reach, line]],
        ]) {
          const points = ends.map(([x, z]) => camera.project([centre[0] + x * step, 0, centre[1] + z * step]));
          if (points.every(Boolean)) stroke(context, points);
        }
      }
      context.globalAlpha = 1;
    }

    way(context, camera, time) {
      context.strokeStyle = css("--way");
      context.lineWidth = 2;
      // Where the root has been, up to where it is now; of a long way not every frame.
      const points = [], last = Math.min(time, this.frames - 1), step = Math.ceil(this.frames / WAY_POINTS);
      for (let frame = 0; frame < last + step; frame += step) {
        const root = frame < last ? this.at(frame, 0) : this.between(last)[0];
        const point = camera.project([root[0], 0, root[2]]);
        if (point) points.push(point);
      }
      if (points.length > 1) stroke(context, points);
    }

    shadow(context, camera, joints) {
      context.fillStyle = css("--shadow");
      const fall = (point) => [point[0] - (point[1] * LIGHT[0]) / LIGHT[1], 0, point[2] - (point[1] * LIGHT[2]) / LIGHT[1]];
      context.beginPath();
      for (const [parent, joint] of this.player.data.bones) {
        capsule(context, camera, fall(joints[parent]), fall(joints[joint]), this.radius(parent), this.radius(joint));
      }
      context.fill();
    }

    radius(joint) {
      return this.player.data.widths[joint] * this.player.data.height;
    }

    body(context, camera, joints) {
      const parts = this.player.data.bones.map(([parent, joint, side]) => {
        const depth = (camera.depth(joints[parent]) + camera.depth(joints[joint])) / 2;
        return { parent, joint, side, depth };
      });
      parts.sort((a, b) => a.depth - b.depth);
      for (const { parent, joint, side } of parts) {
        // Three capsules, each smaller, lighter and nearer to the light than the one before: a rounded limb.
        for (const [share, shift, light] of [[1, 0, 0.72], [0.78, 0.2, 0.9], [0.42, 0.42, 1.1]]) {
          context.fillStyle = shaded(side, light);
          context.beginPath();
          const moved = [parent, joint].map((one) =>
            joints[one].map((value, axis) => value + shift * this.radius(one) * camera.lit[axis]));
          capsule(context, camera, moved[0], moved[1], share * this.radius(parent), share * this.radius(joint));
          context.fill();
        }
      }
    }
  }

  const player_step = (height) => (height > 0.9 && height < 2.6 ? 0.5 : 0.3 * height);

  function stroke(context, points) {
    context.beginPath();
    points.forEach(([x, y], index) => (index ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.stroke();
  }

  // The outline of two circles and the lines that touch both.
  function capsule(context, camera, from, to, fromRadius, toRadius) {
    const a = camera.project(from), b = camera.project(to);
    if (!a || !b) return;
    const r = fromRadius * a[2], s = toRadius * b[2];
    const dx = b[0] - a[0], dy = b[1] - a[1], distance = Math.hypot(dx, dy);
    if (distance <= Math.abs(r - s)) {
      const [x, y, radius] = r > s ? [a[0], a[1], r] : [b[0], b[1], s];
      context.moveTo(x + radius, y);
      context.arc(x, y, radius, 0, 2 * Math.PI);
      return;
    }
    const angle = Math.atan2(dy, dx), open = Math.acos((r - s) / distance);
    context.moveTo(a[0] + r * Math.cos(angle + open), a[1] + r * Math.sin(angle + open));
    context.arc(a[0], a[1], r, angle + open, angle - open + 2 * Math.PI);
    context.arc(b[0], b[1], s, angle - open, angle + open);
    context.closePath();
  }

  function shade(colour, light) {
    const value = parseInt(colour.slice(1), 16);
    const part = (shift) => Math.min(255, Math.round(((value >> shift) & 255) * light + (light > 1 ? 22 : 0)));
    return `rgb(${part(16)},${part(8)},${part(0)})`;
  }

  // ---- The camera that all motions of a player share ----

  class Camera {
    constructor() {
      this.yaw = 0.5;
      this.pitch = 0.24;
      this.distance = 2.35; // heights of the body
    }

    seeing(target, width, height, body) {
      const [sy, cy, sp, cp] = [Math.sin(this.yaw), Math.cos(this.yaw), Math.sin(this.pitch), Math.cos(this.pitch)];
      const toward = [sy * cp, sp, cy * cp], right = [cy, 0, -sy];
      const up = [-sy * sp, cp, -cy * sp];
      const distance = this.distance * body, focus = 1.55 * Math.min(width, height);
      const relative = (point) => point.map((value, axis) => value - target[axis]);
      const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
      const dull = Math.hypot(...LIGHT);
      return {
        lit: LIGHT.map((value, axis) => (0.55 * value) / dull + 0.45 * toward[axis]),
        depth: (point) => dot(relative(point), toward),
        // [x, y, pixels a metre], null behind the camera.
        project: (point) => {
          const seen = relative(point), away = distance - dot(seen, toward);
          if (away < 0.1 * body) return null;
          const pixels = focus / away;
          return [width / 2 + pixels * dot(seen, right), height / 2 - pixels * dot(seen, up), pixels];
        },
      };
    }
  }

  // ---- A player: the motions, one bar and one clock ----

  class Player {
    constructor(element, data, numbers) {
      this.element = element;
      this.data = data;
      this.camera = new Camera();
      this.time = 0; // in frames
      this.speed = 1;
      this.playing = false;
      this.end = Math.max(...data.motions.map((motion) => motion.frames)) - 1;
      this.build(numbers);
      this.draw();
    }

    build(numbers) {
      const { element, data } = this;
      element.tabIndex = 0;
      element.style.minHeight = "auto";
      element.setAttribute("role", "group");
      element.setAttribute("aria-label", `Motion player: ${data.motions.map((motion) => motion.title).join(", ")}`);
      const stage = make("div", "stage", element);
      this.views = data.motions.map((motion, place) => {
        const panel = make("figure", "panel", stage);
        const canvas = make("canvas", "", panel);
        make("figcaption", "", panel).textContent = motion.title;
        this.orbit(canvas);
        return new View(this, motion, numbers[place], canvas);
      });
      const bar = make("div", "bar", element);
      this.button = make("button", "play", bar);
      this.button.type = "button";
      this.button.onclick = () => this.toggle();
      const track = make("div", "track", bar);
      this.scrub = make("input", "scrub", track);
      Object.assign(this.scrub, { type: "range", min: 0, max: this.end, step: "any", value: 0 });
      this.scrub.setAttribute("aria-label", "Time");
      this.scrub.oninput = () => { this.pause(); this.seek(Number(this.scrub.value)); };
      const rows = Math.max(0, ...data.marks.map(({ row }) => row + 1));
      track.style.paddingBottom = `${8 * Math.max(rows, 1)}px`;
      for (const mark of data.marks) this.mark(track, mark, rows);
      this.clock = make("span", "clock", bar);
      this.pace = make("button", "pace", bar);
      this.pace.type = "button";
      this.pace.onclick = () => this.faster(1);
      this.told = make("div", "told", element);
      this.told.hidden = !data.marks.length;
      this.told.style.height = rows > 1 ? "2.8rem" : "1.4rem"; // what lies below does not jump
      this.shown = []; // marks that are told
      element.onkeydown = (event) => this.key(event);
      this.label();
    }

    // Under the bar, one row a motion; a click goes there.
    mark(track, { from, to, text, holds, row }, rows) {
      const mark = make("span", holds ? "mark holds" : "mark fails", track);
      mark.style.bottom = `${8 * (rows - 1 - row)}px`;
      mark.onclick = () => { this.pause(); this.seek(from * this.data.fps); };
      const share = (seconds) => (100 * Math.min(seconds * this.data.fps, this.end)) / Math.max(this.end, 1);
      mark.style.left = `${share(from)}%`;
      mark.style.width = `${Math.max(share(to) - share(from), 0.8)}%`;
      mark.title = sentence({ text, holds });
    }

    orbit(canvas) {
      const pointers = new Map();
      let pinch = 0;
      const spread = () => {
        const [a, b] = [...pointers.values()];
        return Math.hypot(a.x - b.x, a.y - b.y);
      };
      canvas.onpointerdown = (event) => {
        canvas.setPointerCapture(event.pointerId);
        pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
        if (pointers.size === 2) pinch = spread();
      };
      canvas.onpointermove = (event) => {
        const before = pointers.get(event.pointerId);
        if (!before) return;
        pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
        if (pointers.size === 2) {
          this.zoom(pinch / Math.max(spread(), 1));
          pinch = spread();
        } else {
          this.turn((event.clientX - before.x) * -0.008, (event.clientY - before.y) * 0.006);
        }
      };
      canvas.onpointerup = canvas.onpointercancel = (event) => pointers.delete(event.pointerId);
      canvas.onwheel = (event) => {
        if (!event.ctrlKey && document.activeElement !== this.element && !this.element.contains(document.activeElement)) return;
        event.preventDefault();
        this.zoom(Math.exp(event.deltaY * 0.001));
      };
      canvas.ondblclick = () => { this.camera = new Camera(); this.draw(); };
    }

    turn(yaw, pitch) {
      this.camera.yaw += yaw;
      this.camera.pitch = Math.min(Math.max(this.camera.pitch + pitch, -0.05), 1.5);
      this.draw();
    }

    zoom(factor) {
      this.camera.distance = Math.min(Math.max(this.camera.distance * factor, 1.2), 12);
      this.draw();
    }

    key(event) {
      const act = {
        " ": () => this.toggle(), k: () => this.toggle(),
        ArrowLeft: () => { this.pause(); this.seek(Math.ceil(this.time) - 1); },
        ArrowRight: () => { this.pause(); this.seek(Math.floor(this.time) + 1); },
        Home: () => this.seek(0), End: () => this.seek(this.end),
        ArrowUp: () => this.faster(1), ArrowDown: () => this.faster(-1),
        a: () => this.turn(0.15, 0), d: () => this.turn(-0.15, 0), w: () => this.turn(0, 0.1), s: () => this.turn(0, -0.1),
        "+": () => this.zoom(0.9), "=": () => this.zoom(0.9), "-": () => this.zoom(1.1),
      }[event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target === this.button && event.key === " ") return; // the button does it
      event.preventDefault();
      act();
    }

    faster(step) {
      const place = SPEEDS.indexOf(this.speed) + step;
      this.speed = SPEEDS[(place + SPEEDS.length) % SPEEDS.length];
      this.label();
    }

    toggle() {
      if (this.playing) return this.pause();
      if (this.time >= this.end) this.time = 0;
      this.playing = true;
      this.last = performance.now();
      this.label();
      requestAnimationFrame((now) => this.tick(now));
    }

    pause() {
      this.playing = false;
      this.label();
    }

    tick(now) {
      if (!this.playing) return;
      this.time += ((now - this.last) / 1000) * this.data.fps * this.speed;
      this.last = now;
      if (this.time > this.end) this.time = this.end > 0 ? this.time % this.end : 0;
      this.draw();
      requestAnimationFrame((next) => this.tick(next));
    }

    seek(frame) {
      this.time = Math.min(Math.max(frame, 0), this.end);
      this.draw();
    }

    label() {
      this.button.textContent = this.playing ? "❚❚" : "▶";
      this.button.setAttribute("aria-label", this.playing ? "Pause" : "Play");
      this.pace.textContent = `${this.speed}×`;
      this.pace.setAttribute("aria-label", `Speed ${this.speed}`);
    }

    draw() {
      for (const view of this.views) view.draw(this.time);
      this.scrub.value = this.time;
      const seconds = (frames) => (frames / this.data.fps).toFixed(1);
      this.clock.textContent = `${seconds(this.time)} / ${seconds(this.end)} s`;
      // What was measured at this moment, in words.
      const now = this.time / this.data.fps, marks = this.data.marks.filter((mark) => mark.from <= now && now <= mark.to);
      if (marks.length !== this.shown.length || marks.some((mark, place) => mark !== this.shown[place])) {
        this.told.replaceChildren();
        for (const mark of marks) {
          make("span", mark.holds ? "holds" : "fails", this.told).textContent = sentence(mark);
        }
        this.shown = marks;
      }
      this.element.dataset.frame = this.time.toFixed(2); // for tests and whoever styles by it
    }
  }

  function make(name, className, parent) {
    const element = document.createElement(name);
    if (className) element.className = className;
    parent.append(element);
    return element;
  }

  const sentence = ({ text, holds }) => `${holds ? "✓" : "✗"} ${text}`;

  // ---- Players come to life when they are seen, so that a page of fifty opens at once ----

  const players = [];
  async function wake(element) {
    if (element.woken) return;
    element.woken = true;
    if (!window.DecompressionStream) {
      element.textContent = "This player needs a newer browser: Chrome 80, Firefox 113, Safari 16.4.";
      return;
    }
    const data = JSON.parse(document.getElementById(element.dataset.player).textContent);
    element.player = new Player(element, data, await Promise.all(data.motions.map(decode)));
    for (const motion of data.motions) delete motion.joints; // the text stands in the page already
    players.push(element.player);
  }
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) wake(entry.target);
  }, { rootMargin: "300px" });

  const start = () => {
    document.querySelectorAll(".player").forEach((element) => seen.observe(element));
    const redraw = () => players.forEach((player) => player.draw());
    window.addEventListener("resize", redraw);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { colours = new Map(); redraw(); });
  };
  document.readyState === "loading" ? document.addEventListener("DOMContentLoaded", start) : start();
})();
