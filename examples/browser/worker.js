// The models, off the page's own thread: photo in, boxes and masks out. Reads model.json for all names and numbers.
import * as ort from "./ort/ort.wasm.bundle.min.mjs";
import { boxesOf, letterbox, mergedLooks } from "./boxes.js";
import { enlarged, pixelsOf, resized, tensorOf } from "./pixels.js";

const PROMPTS_AT_ONCE = 16; // in memory: four masks of 352 x 352 for each
const MOST_BOXES = 320;
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
  if (run !== newest) return;
  const photo = pixelsOf(bitmap);
  const seconds = {};
  const timed = async (name, work) => {
    const start = performance.now();
    const result = await work();
    seconds[name] = (performance.now() - start) / 1000;
    return result;
  };
  const tell = (share, text) => postMessage({ kind: "progress", run, share, text });
  tell(0.05, "Finding objects");
  const boxes = await timed("detect", () => found(photo, confidence));
  if (run !== newest) return;
  tell(0.3, `Encoding the photo for ${boxes.length} objects`);
  const features = await timed("encode", () => encoded(photo));
  let done = 0;
  await timed("decode", async () => {
    for (let start = 0; start < boxes.length && run === newest; start += PROMPTS_AT_ONCE) {
      const some = boxes.slice(start, start + PROMPTS_AT_ONCE);
      const masks = await decoded(features, some, photo);
      done += some.length;
      postMessage({ kind: "masks", run, masks }, masks.map((mask) => mask.bits.buffer));
      tell(0.5 + (0.5 * done) / boxes.length, `${done} of ${boxes.length} masks`);
    }
  });
  postMessage({ kind: "done", run, seconds, boxes: boxes.length });
}

async function found(photo, confidence) {
  const about = models.description.detector;
  const look = async (side) => {
    const box = letterbox(photo.width, photo.height, side, about.stride);
    const images = input(photo, box.inner, box.outer, { ...box, antialias: false, mean: [0, 0, 0], std: [255, 255, 255], around: GREY });
    const { boxes, scores } = await models.detector.run({ images });
    return boxesOf(boxes.data, scores.data, box, photo, {
      confidence,
      snap: about.snap_pixels,
      ...(about.second_side ? {} : { iou: about.nms_iou, most: MOST_BOXES }),
    });
  };
  const first = await look(about.input_side);
  if (!about.second_side) return first;
  return mergedLooks(first, await look(about.second_side), photo, {
    firstFrom: about.first_from,
    secondBelow: about.second_below,
    iou: about.nms_iou,
    vote: about.vote_iou,
    most: MOST_BOXES,
  });
}

async function encoded(photo) {
  const { picture_side: side, mean, std } = models.description.segmenter;
  const outer = { width: side, height: side };
  const images = input(photo, resized(photo, side), outer, { left: 0, top: 0, antialias: true, mean, std, around: 0 });
  return (await models.encoder.run({ images })).image_embeddings;
}

function input(photo, inner, outer, how) {
  return new ort.Tensor("float32", tensorOf(photo, inner, outer, how), [1, 3, outer.height, outer.width]);
}

async function decoded(features, boxes, photo) {
  const side = models.description.segmenter.input_side;
  const inner = resized(photo, side);
  const scale = [inner.width / photo.width, inner.height / photo.height];
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
  return boxes.map(({ score }, index) => {
    const start = index * each * height * width; // the first of the masks of each prompt is the best guess
    const logits = answer.low_res_masks.data.subarray(start, start + height * width);
    return { score, predictedIou: answer.iou_predictions.data[index * each], ...enlarged(logits, width, height, frame, photo) };
  }).filter(({ area }) => area > 0);
}
