// From a photo's pixels to a network's input, and from a mask's logits to the photo's pixels: as the Python package does it.

/** The pixels of a bitmap: width, height and RGBA bytes. */
export function pixelsOf(bitmap) {
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

/** Where a photo lies in a square input: at the top left, its longer side as long as the square's. */
export function resized({ width, height }, side) {
  const scale = side / Math.max(width, height);
  return { width: Math.floor(width * scale + 0.5), height: Math.floor(height * scale + 0.5) };
}

/** A photo scaled to `inner`, bilinearly, within an input of size `outer`: float32 (3, H, W). */
export function tensorOf(photo, inner, outer, { left, top, antialias, mean, std, around }) {
  const values = scaled(photo, inner, antialias);
  const plane = outer.width * outer.height;
  const tensor = new Float32Array(3 * plane).fill(around);
  for (let y = 0; y < inner.height; y++) {
    for (let x = 0; x < inner.width; x++) {
      const from = 4 * (y * inner.width + x);
      const to = (y + top) * outer.width + x + left;
      for (let colour = 0; colour < 3; colour++) {
        tensor[colour * plane + to] = (values[from + colour] - mean[colour]) / std[colour];
      }
    }
  }
  return tensor;
}

/** RGBA bytes at another size, as Pillow (with antialiasing) and OpenCV (without) do it: a canvas has its own way in every browser. */
function scaled({ data, width, height }, inner, antialias) {
  const columns = taps(width, inner.width, antialias);
  const rows = taps(height, inner.height, antialias);
  const Between = antialias ? Uint8ClampedArray : Float32Array; // arrays of bytes round
  const wide = new Between(4 * inner.width * height);
  for (let y = 0; y < height; y++) mix(data, 4 * y * width, 4, wide, 4 * y * inner.width, 4, columns);
  const values = new Uint8ClampedArray(4 * inner.width * inner.height);
  for (let x = 0; x < inner.width; x++) mix(wide, 4 * x, 4 * inner.width, values, 4 * x, 4 * inner.width, rows);
  return values;
}

function mix(from, start, step, into, at, stride, line) {
  for (let index = 0; index < line.length; index++, at += stride) {
    const { first, weights } = line[index];
    let red = 0, green = 0, blue = 0;
    for (let tap = 0, here = start + first * step; tap < weights.length; tap++, here += step) {
      red += weights[tap] * from[here];
      green += weights[tap] * from[here + 1];
      blue += weights[tap] * from[here + 2];
    }
    into[at] = red;
    into[at + 1] = green;
    into[at + 2] = blue;
  }
}

/** For each new pixel of a line: the first old one it is mixed of, and the weights; a triangle, wider where it antialiases. */
function taps(length, wanted, antialias) {
  const scale = length / wanted;
  const reach = antialias ? Math.max(scale, 1) : 1;
  return Array.from({ length: wanted }, (_, index) => {
    const centre = (index + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - reach + 0.5));
    const last = Math.min(length, Math.floor(centre + reach + 0.5));
    const weights = [];
    for (let old = first; old < last; old++) weights.push(Math.max(0, 1 - Math.abs(old + 0.5 - centre) / reach));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}

/** The pixels of a photo whose bilinearly enlarged logit is above 0, within a rectangle that holds them; `frame`: the photo in the logits. */
export function enlarged(logits, width, height, frame, photo) {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let at = 0; at < width * height; at++) {
    if (!(logits[at] > 0)) continue;
    const x = at % width, y = (at - x) / width;
    left = Math.min(left, x), right = Math.max(right, x), top = Math.min(top, y), bottom = Math.max(bottom, y);
  }
  const across = photo.width / frame.width, down = photo.height / frame.height; // a logit reaches one further on each side
  const x0 = Math.max(0, Math.floor((left - 0.5) * across)), x1 = Math.min(photo.width, Math.ceil((right + 1.5) * across));
  const y0 = Math.max(0, Math.floor((top - 0.5) * down)), y1 = Math.min(photo.height, Math.ceil((bottom + 1.5) * down));
  if (x1 <= x0 || y1 <= y0) return { bits: new Uint8Array(0), area: 0, x: 0, y: 0, width: 0, height: 0 };
  const bits = new Uint8Array((x1 - x0) * (y1 - y0));
  let area = 0;
  for (let y = y0; y < y1; y++) {
    const v = Math.min(Math.max((y + 0.5) / down - 0.5, 0), height - 1);
    const above = Math.floor(v), below = Math.min(above + 1, height - 1), lower = v - above;
    for (let x = x0; x < x1; x++) {
      const u = Math.min(Math.max((x + 0.5) / across - 0.5, 0), width - 1);
      const before = Math.floor(u), after = Math.min(before + 1, width - 1), later = u - before;
      const over = logits[above * width + before] * (1 - later) + logits[above * width + after] * later;
      const under = logits[below * width + before] * (1 - later) + logits[below * width + after] * later;
      if (over * (1 - lower) + under * lower > 0) {
        bits[(y - y0) * (x1 - x0) + x - x0] = 1;
        area++;
      }
    }
  }
  return { bits, area, x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
}
