// The page: takes a photo, sends it to the worker, draws the masks that come and shows the one that is pointed at.

const LONGEST = 1280; // pixels; masks are drawn at this size at the most
const byId = (id) => document.getElementById(id);
const [stage, file, photo, overlay, progress, status] = ["stage", "file", "photo", "overlay", "progress", "status"].map(byId);

const worker = new Worker("worker.js", { type: "module" });
let run = 0; // answers to earlier photos are dropped
let masks = []; // of the photo on the page, largest first
let ids = new Uint16Array(0); // for each pixel 1 + the index of its topmost mask, or 0
let shown = -1; // the mask that is pointed at
let bitmap = null;

worker.onerror = (event) => say(`This browser cannot run the models: ${event.message ?? "module workers are missing"}`, true);
worker.onmessage = ({ data }) => {
  if (data.run !== undefined && data.run !== run) return;
  if (data.kind === "progress") {
    progress.hidden = false;
    progress.value = data.share;
    say(data.text + "…");
  } else if (data.kind === "ready") {
    progress.hidden = true;
    const { segmenter, detector, name } = data.description;
    byId("about").textContent = `Models: ${name} (${segmenter.licence ?? "licence of its owner"}) and ${detector.name} ` +
      `(${detector.licence ?? "licence of its owner"}), run by ONNX Runtime Web.`;
    if (!bitmap) say("Ready.");
    document.body.dataset.ready = "yes";
  } else if (data.kind === "masks") {
    masks = [...masks, ...data.masks].sort((a, b) => b.area - a.area);
    layOut();
    draw();
  } else if (data.kind === "done") {
    progress.hidden = true;
    const total = Object.values(data.seconds).reduce((sum, part) => sum + part, 0);
    const parts = Object.entries(data.seconds).map(([name, part]) => `${name} ${part.toFixed(2)} s`);
    say(`${masks.length} masks in ${total.toFixed(1)} s (${parts.join(", ")})`);
    document.body.dataset.masks = String(masks.length);
  } else if (data.kind === "failed") {
    progress.hidden = true;
    say(data.message, true);
  }
};

file.addEventListener("change", () => file.files[0] && take(file.files[0]));
stage.addEventListener("click", () => bitmap || file.click());
for (const [name, on] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
  stage.addEventListener(name, (event) => {
    event.preventDefault();
    stage.classList.toggle("dragged", on);
    if (name === "drop" && event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
  });
}
byId("confidence").addEventListener("input", ({ target }) => {
  byId("confidence-value").value = Number(target.value).toFixed(2);
});
byId("confidence").addEventListener("change", () => bitmap && start());
byId("opacity").addEventListener("input", draw);
overlay.addEventListener("pointermove", point);
overlay.addEventListener("pointerdown", point);
overlay.addEventListener("pointerleave", () => show(-1));

/** A new photo: upright as its EXIF says, no larger than masks are drawn. */
async function take(blob) {
  try {
    const whole = await createImageBitmap(blob, { imageOrientation: "from-image" });
    const scale = Math.min(1, LONGEST / Math.max(whole.width, whole.height));
    const size = [whole.width, whole.height].map((side) => Math.max(1, Math.round(side * scale)));
    bitmap = await createImageBitmap(whole, { resizeWidth: size[0], resizeHeight: size[1], resizeQuality: "high" });
  } catch {
    return say("This file is no picture that the browser can read. Choose a JPEG, PNG or WebP.", true);
  }
  for (const canvas of [photo, overlay]) [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
  stage.style.setProperty("--ratio", bitmap.width / bitmap.height);
  photo.getContext("2d").drawImage(bitmap, 0, 0);
  stage.classList.add("filled");
  start();
}

function start() {
  run += 1;
  masks = [];
  delete document.body.dataset.masks;
  layOut();
  draw();
  if (document.body.dataset.ready) say("Starting…");
  worker.postMessage({ run, bitmap, confidence: Number(byId("confidence").value) });
}

/** Give each pixel to the smallest mask that has it. */
function layOut() {
  ids = new Uint16Array(overlay.width * overlay.height);
  shown = -1;
  masks.forEach((mask, index) => eachPixel(mask, (at) => (ids[at] = index + 1)));
}

function eachPixel({ bits, x, y, width, height }, visit) {
  for (let row = 0; row < height; row++) {
    const from = (y + row) * overlay.width + x;
    for (let column = 0; column < width; column++) if (bits[row * width + column]) visit(from + column);
  }
}

/** All masks with their outlines, or one alone and the rest dimmed. */
function draw() {
  const context = overlay.getContext("2d");
  if (!overlay.width || !ids.length) return;
  const pixels = context.createImageData(overlay.width, overlay.height);
  const opacity = 255 * Number(byId("opacity").value);
  const paint = (at, [red, green, blue], alpha) => pixels.data.set([red, green, blue, alpha], 4 * at);
  if (shown >= 0) {
    const one = new Uint8Array(ids.length);
    eachPixel(masks[shown], (at) => (one[at] = 1));
    for (let at = 0; at < one.length; at++) if (!one[at]) paint(at, [10, 14, 20], 150);
  } else {
    for (let at = 0; at < ids.length; at++) {
      if (!ids[at]) continue;
      const isEdge = ids[at] !== ids[at + 1] || ids[at] !== ids[at + overlay.width];
      paint(at, isEdge ? [255, 255, 255] : colourOf(ids[at]), isEdge ? Math.min(255, 1.5 * opacity) : opacity);
    }
  }
  context.putImageData(pixels, 0, 0);
}

/** Colours that differ from their neighbours in number: hues a golden angle apart. */
const colours = new Map();
function colourOf(id) {
  if (!colours.has(id)) {
    const hue = (id * 137.508) % 360;
    const channel = (shift) => {
      const k = (shift + hue / 30) % 12;
      return Math.round(255 * (0.55 - 0.36 * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
    };
    colours.set(id, [channel(0), channel(8), channel(4)]);
  }
  return colours.get(id);
}

function point(event) {
  const area = overlay.getBoundingClientRect();
  const x = Math.floor(((event.clientX - area.left) / area.width) * overlay.width);
  const y = Math.floor(((event.clientY - area.top) / area.height) * overlay.height);
  show((ids[y * overlay.width + x] ?? 0) - 1);
}

function show(index) {
  if (index === shown) return;
  shown = index;
  draw();
}

function say(text, failed = false) {
  status.textContent = text;
  status.classList.toggle("failed", failed);
}
