// From a picture's size to the detector's input and back, and which boxes stay: as the Python package does it.

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

/** Boxes of one look above the confidence, best first, none overlapping another too much, in pixels of the picture. */
export function boxesOf(boxes, scores, box, picture, { confidence, iou, snap, most = 2000 }) {
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

/** Large boxes of the first look, small ones of the second, which sees the picture larger. */
export function mergedLooks(first, second, picture, { firstFrom, secondBelow, iou, most = 320 }) {
  const longest = Math.max(picture.width, picture.height);
  const side = ({ at }) => Math.max(at[2] - at[0], at[3] - at[1]);
  const kept = [
    ...first.filter((box) => side(box) >= firstFrom * longest),
    ...second.filter((box) => side(box) < secondBelow * longest),
  ];
  return suppressed(kept, iou).slice(0, most);
}

/** Greedy non-maximum suppression, best first. */
export function suppressed(boxes, limit) {
  const kept = [];
  for (const box of [...boxes].sort((a, b) => b.score - a.score)) {
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
