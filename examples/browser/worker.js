// The models, off the page's own thread: photo in, boxes and masks out. Reads model.json for all names and numbers.
import * as ort from "./ort/ort.wasm.bundle.min.mjs";
import { boxesOf, letterbox, mergedLooks } from "./boxes.js";

const PROMPTS_AT_ONCE = 16; // in memory: four masks of 352 x 352 for each
const GREY = 114 / 255;

let models; // { description, encoder, decoder, detector }, once they are loaded
const loading = load().then(
  (loaded) => {
    models = loaded;
    postMessage({ kind: "ready", description: models.description });
  },
  (error) => postMessage({ kind: "failed", message: `The models could not be loaded: ${error.message ?? error}` }),
);

async function load() {
  const description = await (await fetch("models/model.json")).json();
  const { segmenter, detector } = description;
  const files = [segmenter.encoder, segmenter.decoder, detector.network].map((graph) => graph.file);
  const sessions = [];
  for (const [index, file] of files.entries()) {
    postMessage({ kind: "progress", share: index / files.length, text: `Loading the models: ${file}` });
    const answer = await fetch(`models/${file}`);
    if (!answer.ok) throw new Error(`${file}: ${answer.status} ${answer.statusText}`);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    sessions.push(await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] }));
  }
  const [encoder, decoder, network] = sessions;
  return { description, encoder, decoder, detector: network };
}

let newest = 0; // a run that is not the newest ends at its next step
let queue = loading;

self.onmessage = ({ data }) => {
  newest = data.run;
  queue = queue.then(async () => {
    if (!models) return; // the page was told why
    try {
      await segment(data);
    } catch (error) {
      postMessage({ kind: "failed", run: data.run, message: `This photo could not be segmented: ${error.message ?? error}` });
    }
  });
};

/** All masks of a photo; `bitmap` is the photo at the size that masks are drawn at. */
async function segment({ run, bitmap, confidence }) {
  const picture = { width: bitmap.width, height: bitmap.height };
  if (run !== newest) return;
  const seconds = {};
  const timed = async (name, work) => {
    const start = performance.now();
    const result = await work();
    seconds[name] = (performance.now() - start) / 1000;
    return result;
  };
  const tell = (share, text) => postMessage({ kind: "progress", run, share, text });
  tell(0.05, "Finding objects");
  const boxes = await timed("detect", () => found(bitmap, picture, confidence));
  if (run !== newest) return;
  tell(0.3, `Encoding the photo for ${boxes.length} objects`);
  const features = await timed("encode", () => encoded(bitmap, picture));
  postMessage({ kind: "begun", run, ...picture, boxes: boxes.length });
  let done = 0;
  await timed("decode", async () => {
    for (let start = 0; start < boxes.length && run === newest; start += PROMPTS_AT_ONCE) {
      const some = boxes.slice(start, start + PROMPTS_AT_ONCE);
      const masks = await decoded(features, some, picture);
      done += some.length;
      postMessage({ kind: "masks", run, masks }, masks.map((mask) => mask.bits.buffer));
      tell(0.5 + (0.5 * done) / boxes.length, `${done} of ${boxes.length} masks`);
    }
  });
  postMessage({ kind: "done", run, seconds, boxes: boxes.length });
}

async function found(bitmap, picture, confidence) {
  const about = models.description.detector;
  const iou = about.nms_iou;
  const look = async (side) => {
    const box = letterbox(picture.width, picture.height, side, about.stride);
    const images = pixelsOf(bitmap, box.inner, box.outer, { left: box.left, top: box.top, mean: [0, 0, 0], std: [255, 255, 255], around: GREY });
    const { boxes, scores } = await models.detector.run({ images });
    return boxesOf(boxes.data, scores.data, box, picture, { confidence, iou, snap: about.snap_pixels });
  };
  const first = await look(about.input_side);
  if (!about.second_side) return first.slice(0, 320);
  const second = await look(about.second_side);
  return mergedLooks(first, second, picture, { firstFrom: about.first_from, secondBelow: about.second_below, iou });
}

async function encoded(bitmap, picture) {
  const { picture_side: side, mean, std } = models.description.segmenter;
  const inner = resized(picture, side);
  const images = pixelsOf(bitmap, inner, { width: side, height: side }, { left: 0, top: 0, mean, std, around: 0 });
  return (await models.encoder.run({ images })).image_embeddings;
}

async function decoded(features, boxes, picture) {
  const side = models.description.segmenter.input_side;
  const inner = resized(picture, side);
  const scale = [inner.width / picture.width, inner.height / picture.height];
  const count = boxes.length;
  const points = Float32Array.from(boxes.flatMap(({ at }) => at.map((edge, axis) => edge * scale[axis % 2])));
  const labels = Float32Array.from(boxes.flatMap(() => [2, 3])); // the corners of a box
  const low = models.description.segmenter.decoder.inputs.mask_input.slice(2);
  const answer = await models.decoder.run({
    image_embeddings: features,
    point_coords: new ort.Tensor("float32", points, [count, 2, 2]),
    point_labels: new ort.Tensor("float32", labels, [count, 2]),
    mask_input: new ort.Tensor("float32", new Float32Array(low[0] * low[1]), [1, 1, ...low]),
    has_mask_input: new ort.Tensor("float32", new Float32Array(1), [1]),
  });
  const [, each, height, width] = answer.low_res_masks.dims;
  const frame = { width: (width * inner.width) / side, height: (height * inner.height) / side };
  return boxes.map(({ at, score }, index) => {
    const start = index * each * height * width; // the first of the masks of each prompt is the best guess
    const logits = answer.low_res_masks.data.subarray(start, start + height * width);
    return { score, predictedIou: answer.iou_predictions.data[index * each], ...enlarged(logits, width, height, frame, picture, at) };
  });
}

/** Where a picture lies in a square input: at the top left, its longer side as long as the square's. */
function resized({ width, height }, side) {
  const scale = side / Math.max(width, height);
  return { width: Math.floor(width * scale + 0.5), height: Math.floor(height * scale + 0.5) };
}

/** A picture scaled to `inner`, within an input of size `outer`, as float32 (1, 3, H, W). */
function pixelsOf(bitmap, inner, outer, { left, top, mean, std, around }) {
  const canvas = new OffscreenCanvas(inner.width, inner.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, inner.width, inner.height);
  const { data } = context.getImageData(0, 0, inner.width, inner.height);
  const plane = outer.width * outer.height;
  const values = new Float32Array(3 * plane).fill(around);
  for (let y = 0; y < inner.height; y++) {
    for (let x = 0; x < inner.width; x++) {
      const from = 4 * (y * inner.width + x);
      const to = (y + top) * outer.width + x + left;
      for (let colour = 0; colour < 3; colour++) {
        values[colour * plane + to] = (data[from + colour] - mean[colour]) / std[colour];
      }
    }
  }
  return new ort.Tensor("float32", values, [1, 3, outer.height, outer.width]);
}

/** The pixels of a picture whose bilinearly enlarged logit is above 0, within the rectangle that holds them. */
function enlarged(logits, width, height, frame, picture, box) {
  // A mask reaches little beyond its box: half of its sides, where the decoder's windows end a quarter after it.
  const grow = [(box[2] - box[0]) / 2 + 8, (box[3] - box[1]) / 2 + 8];
  const x0 = Math.max(0, Math.floor(box[0] - grow[0])), x1 = Math.min(picture.width, Math.ceil(box[2] + grow[0]));
  const y0 = Math.max(0, Math.floor(box[1] - grow[1])), y1 = Math.min(picture.height, Math.ceil(box[3] + grow[1]));
  const bits = new Uint8Array((x1 - x0) * (y1 - y0));
  let area = 0;
  for (let y = y0; y < y1; y++) {
    const v = Math.min(Math.max(((y + 0.5) * frame.height) / picture.height - 0.5, 0), height - 1);
    const top = Math.floor(v), below = Math.min(top + 1, height - 1), down = v - top;
    for (let x = x0; x < x1; x++) {
      const u = Math.min(Math.max(((x + 0.5) * frame.width) / picture.width - 0.5, 0), width - 1);
      const left = Math.floor(u), right = Math.min(left + 1, width - 1), across = u - left;
      const upper = logits[top * width + left] * (1 - across) + logits[top * width + right] * across;
      const lower = logits[below * width + left] * (1 - across) + logits[below * width + right] * across;
      if (upper * (1 - down) + lower * down > 0) {
        bits[(y - y0) * (x1 - x0) + x - x0] = 1;
        area++;
      }
    }
  }
  return { bits, area, x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
}
