// From a picture's size to the detector's input and back, and which boxes stay: as the Python package does it.

const LOOK_BOXES = 2000; // of one look, of which only some sizes count

/** How a picture lies in the detector's input: scaled, centred, grey around it. */
export function letterbox(width, height, side, stride) {
  const gain = side / Math.max(width, height);
  const inner = { width: Math.max(1, Math.round(width * gain)), height: Math.max(1, Math.round(height * gain)) };
  const outer = {
    width: inner.width + ((side - inner.width) % stride),
    height: inner.height + ((side - inner.height) % stride),
  };
  const left = Math.round((outer.width - inner.width) / 2 - 0.1);
  const top = Math.round((outer.height - inner.height) / 2 - 0.1);
  return { gain, inner, outer, left, top };
}

/** Boxes of one look above the confidence, best first, in pixels of the picture; with `iou` below 1 none overlaps another by more. */
export function boxesOf(boxes, scores, box, picture, { confidence, snap, iou = 1, most = LOOK_BOXES }) {
  const found = [];
  for (let index = 0; index < scores.length; index++) {
    if (scores[index] > confidence) found.push({ score: scores[index], at: Array.from(boxes.subarray(4 * index, 4 * index + 4)) });
  }
  const limits = [picture.width, picture.height, picture.width, picture.height];
  const sides = [box.outer.width, box.outer.height];
  return suppressed(found, iou).slice(0, most).map(({ score, at }) => {
    const snapped = at.map((edge, axis) => {
      if (axis < 2) return edge < snap ? 0 : edge;
      return edge > sides[axis - 2] - snap ? sides[axis - 2] : edge;
    });
    const moved = snapped.map((edge, axis) => (edge - (axis % 2 ? box.top : box.left)) / box.gain);
    return { score, at: moved.map((edge, axis) => Math.min(Math.max(edge, 0), limits[axis])) };
  }).filter(({ at }) => at[2] > at[0] && at[3] > at[1]);
}

/** Large boxes of the first look, small ones of the second, which sees the picture larger; `vote`: as `averaged`, unless null. */
export function mergedLooks(first, second, picture, { firstFrom, secondBelow, iou, vote, most }) {
  const longest = Math.max(picture.width, picture.height);
  const side = ({ at }) => Math.max(at[2] - at[0], at[3] - at[1]);
  const all = [
    ...first.filter((box) => side(box) >= firstFrom * longest),
    ...second.filter((box) => side(box) < secondBelow * longest),
  ];
  const best = suppressed(all, iou).slice(0, most);
  return vote === null ? best : best.map((box) => averaged(box, all, vote));
}

/** A box as the mean of those that overlap it by at least `vote`, each weighing as much as its score times that IoU. */
function averaged({ score, at }, boxes, vote) {
  const heap = boxes.map((box) => ({ at: box.at, shared: overlap(at, box.at), score: box.score })).filter(({ shared }) => shared >= vote);
  const total = heap.reduce((sum, box) => sum + box.shared * box.score, 0);
  if (total === 0) return { score, at };
  return { score, at: at.map((_, axis) => heap.reduce((sum, box) => sum + box.shared * box.score * box.at[axis], 0) / total) };
}

/** Greedy non-maximum suppression, best first; all of them if the limit is 1. */
export function suppressed(boxes, limit) {
  const inOrder = [...boxes].sort((a, b) => b.score - a.score);
  if (limit >= 1) return inOrder;
  const kept = [];
  for (const box of inOrder) {
    if (kept.every((better) => overlap(box.at, better.at) <= limit)) kept.push(box);
  }
  return kept;
}

/** IoU of two boxes. */
export function overlap(a, b) {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const area = (box) => (box[2] - box[0]) * (box[3] - box[1]);
  return (width * height) / (area(a) + area(b) - width * height);
}
