"use strict";
// Draws what the page holds as data: views of clouds that can be turned, and histograms, by plotly.js.

// No button sends the cloud to plotly's servers.
const CONFIG = { responsive: true, displaylogo: false, showSendToCloud: false, plotlyServerURL: "" };
const FONT = { family: "system-ui, sans-serif", size: 12, color: "#1f2430" };
const SETTLED = 200; // milliseconds in which a camera that the wheel has moved rests
const KEYS = { // degrees to the right and downward by which the camera turns, and the factor of its distance
  ArrowLeft: [10, 0, 1], ArrowRight: [-10, 0, 1], ArrowUp: [0, 10, 1], ArrowDown: [0, -10, 1],
  "+": [0, 0, 1 / 1.2], "=": [0, 0, 1 / 1.2], "-": [0, 0, 1.2],
};
const BEHIND = "#d5dbe4"; // the light end of the scale and the dark one both show

const bytes = (packed) => Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
const floats = (packed) => new Float32Array(bytes(packed).buffer);

function colours(packed) {
  const values = bytes(packed);
  const hex = Array.from({ length: 256 }, (_, value) => value.toString(16).padStart(2, "0"));
  const read = (at) => "#" + hex[values[at]] + hex[values[at + 1]] + hex[values[at + 2]];
  return Array.from({ length: values.length / 3 }, (_, row) => read(3 * row));
}

function element(kind, parent, name, text) {
  const made = parent.appendChild(document.createElement(kind));
  made.className = name;
  made.textContent = text;
  return made;
}

// A row of buttons, of which one is pressed; no row where there is no choice.
function buttons(parent, names, choose) {
  if (names.length < 2) return () => {};
  const row = element("div", parent, "controls", "");
  const all = names.map((name) => element("button", row, "", name));
  const press = (index) => all.forEach((each, at) => each.setAttribute("aria-pressed", String(at === index)));
  all.forEach((each, at) => each.addEventListener("click", () => choose(at)));
  press(0);
  return press;
}

function slider(parent, value, change) {
  const row = element("div", parent, "controls", "");
  const label = element("label", row, "", "size of points ");
  const input = element("input", label, "", "");
  Object.assign(input, { type: "range", min: 1, max: 8, step: 0.5, value });
  input.addEventListener("change", () => change(Number(input.value)));
}

function marker(colouring, packed, size) {
  // Squares are two triangles each; discs are dozens, too many for 100,000 points.
  const base = { size, symbol: "square", opacity: 1, line: { width: 0 } };
  if (!colouring.scale) return { ...base, color: colours(packed), showscale: false };
  const bar = { title: { text: colouring.unit, side: "right" }, thickness: 12, len: 0.6, outlinewidth: 0 };
  const [cmin, cmax] = colouring.range;
  const scale = { colorscale: colouring.scale, cmin, cmax, showscale: true, colorbar: bar };
  return { ...base, color: floats(packed), ...scale };
}

function layout(camera, half) {
  const axis = { visible: false, showspikes: false, range: [-half, half] };
  const axes = { xaxis: axis, yaxis: axis, zaxis: axis, aspectmode: "cube" }; // "data" has long clouds leave the picture
  const scene = { bgcolor: BEHIND, dragmode: "orbit", camera, ...axes };
  return { scene, paper_bgcolor: BEHIND, uirevision: "kept", margin: { l: 0, r: 0, t: 0, b: 0 }, font: FONT, hovermode: false };
}

function view(place, drawing) {
  const state = { cloud: 0, colouring: 0, size: drawing.size, camera: drawing.clouds[0].camera };
  const pressCloud = buttons(place, drawing.clouds.map((each) => each.name), (at) => choose({ cloud: at }));
  const pressColouring = buttons(place, drawing.colourings.map((each) => each.name), (at) => choose({ colouring: at }));
  const note = element("p", place, "", "");
  const row = element("div", place, "panels", "");
  const panels = drawing.panels.map((name) => element("div", row, "panel", ""));
  const heads = panels.map((panel) => element("b", panel, "", ""));
  const scenes = panels.map((panel) => element("div", panel, "scene", ""));
  scenes.forEach((scene, panel) => movable(scene, drawing.panels[panel] || "the cloud"));
  slider(place, state.size, (size) => choose({ size }));

  function draw() {
    const cloud = drawing.clouds[state.cloud];
    const colouring = drawing.colourings[state.colouring];
    const [x, y, z] = cloud.pos.map(floats);
    note.textContent = [cloud.note, colouring.note].filter(Boolean).join(" ");
    return Promise.all(scenes.map((scene, panel) => {
      heads[panel].textContent = [drawing.panels[panel], cloud.notes[panel]].filter(Boolean).join(": ");
      const points = marker(colouring, cloud.colours[panel][state.colouring], state.size);
      const trace = { type: "scatter3d", mode: "markers", x, y, z, hoverinfo: "skip", marker: points };
      return Plotly.react(scene, [trace], layout(state.camera, drawing.half), CONFIG);
    }));
  }

  function choose(change) {
    if ("cloud" in change) state.camera = drawing.clouds[change.cloud].camera;
    Object.assign(state, change);
    pressCloud(state.cloud);
    pressColouring(state.colouring);
    return draw();
  }

  return draw().then(() => link(scenes, state));
}

// Where a scene is seen from; undefined without WebGL. What plotly.js reports lags behind the wheel.
const seenFrom = (scene) => scene._fullLayout?.scene?._scene?.getCamera();

function turned(vector, axis, degrees) {
  const length = Math.hypot(...axis);
  const [cos, sin] = [Math.cos(degrees * Math.PI / 180), Math.sin(degrees * Math.PI / 180)];
  const unit = axis.map((each) => each / length);
  const along = (1 - cos) * unit.reduce((sum, each, at) => sum + each * vector[at], 0);
  const aside = cross(unit, vector);
  return vector.map((each, at) => cos * each + sin * aside[at] + along * unit[at]);
}

function cross(a, b) {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

function moved(camera, [right, down, farther]) {
  const [up, eye, centre] = [camera.up, camera.eye, camera.center].map(({ x, y, z }) => [x, y, z]);
  const around = turned(eye.map((each, at) => each - centre[at]), up, right);
  const level = cross(up, around);
  const ahead = turned(around, level, down).map((each, at) => centre[at] + farther * each);
  const named = ([x, y, z]) => ({ x, y, z });
  return { ...camera, up: named(turned(up, level, down)), eye: named(ahead) };
}

// A scene can be turned by keys, and tells what it is.
function movable(scene, what) {
  Object.assign(scene, { tabIndex: 0, role: "application" });
  scene.setAttribute("aria-label", `3D view of ${what}: arrow keys turn it, plus and minus zoom`);
  const see = (camera) => camera && Plotly.relayout(scene, { "scene.camera": camera });
  let timer = 0;
  function settle(before) {
    clearTimeout(timer);
    const camera = seenFrom(scene);
    if (before && JSON.stringify(camera) === JSON.stringify(before)) see(camera);
    else if (camera) timer = setTimeout(() => settle(camera), SETTLED);
  }
  scene.addEventListener("wheel", () => settle(), { passive: true });
  scene.addEventListener("keydown", (event) => {
    const camera = seenFrom(scene);
    if (!(event.key in KEYS) || event.target !== scene || event.ctrlKey || event.altKey || event.metaKey || !camera) return;
    event.preventDefault(); // the page does not scroll
    see(moved(camera, KEYS[event.key]));
  });
}

// Turning one scene turns the others of its view.
function link(scenes, state) {
  let busy = false;
  const follow = (source) => async (change) => {
    const camera = change["scene.camera"];
    if (busy || !camera) return;
    busy = true;
    state.camera = camera;
    await Promise.all(scenes.filter((each) => each !== source)
      .map((each) => Plotly.relayout(each, { "scene.camera": camera })));
    busy = false;
  };
  for (const scene of scenes) {
    scene.on("plotly_relayouting", follow(scene));
    scene.on("plotly_relayout", follow(scene));
  }
}

function histogram(place, drawing) {
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", `Histogram: ${drawing.title}, ${drawing.unit}`);
  const centres = drawing.counts.map((_, at) => (drawing.edges[at] + drawing.edges[at + 1]) / 2);
  const width = drawing.edges[1] - drawing.edges[0];
  const trace = { type: "bar", x: centres, y: drawing.counts, width, marker: { color: "#2563eb" } };
  trace.hovertemplate = "%{x:.4g}: %{y} points<extra></extra>";
  const axes = { xaxis: { title: { text: drawing.unit } }, yaxis: { title: { text: "points" }, rangemode: "nonnegative" } };
  const title = { text: drawing.title, font: { size: 13 } };
  const layout = { ...axes, title, font: FONT, bargap: 0, margin: { l: 60, r: 10, t: 34, b: 44 } };
  return Plotly.newPlot(place, [trace], layout, { ...CONFIG, displayModeBar: false }); // the bar would hide the title
}

// A print has the width at which plotly.js has drawn; the browser fits it to the paper.
addEventListener("beforeprint", () => { document.body.style.width = getComputedStyle(document.body).width; });
addEventListener("afterprint", () => { document.body.style.width = ""; });

const DRAW = { view, histogram };
const drawings = Object.entries(JSON.parse(document.getElementById("drawings").textContent));
Promise.all(drawings.map(([id, each]) => DRAW[each.kind](document.getElementById(id), each)))
  .then(() => document.body.setAttribute("data-drawn", "yes"));
