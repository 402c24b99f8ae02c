/** The array that `pack` of codec.py wrote: deflated byte planes of folded differences along the last axis. */
async function unpack({ shape, bytes, data, low, step }) {
  const raw = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
  const plain = new Blob([raw]).stream().pipeThrough(new DecompressionStream('deflate'));
  const planes = new Uint8Array(await new Response(plain).arrayBuffer());
  const count = planes.length / bytes, row = shape.at(-1);
  const values = bytes === 2 ? new Uint16Array(count) : new Uint8Array(count);
  for (let n = 0, last = 0, column = 0; n < count; n++, column++) {
    if (column === row) { last = 0; column = 0; }
    const folded = bytes === 2 ? planes[n] | planes[count + n] << 8 : planes[n];
    last += (folded >>> 1) ^ -(folded & 1);
    values[n] = last;
    last = values[n];
  }
  return { shape, values, low, step };
}

/** Quantised numbers as such: code 0 is NaN. */
function numbers({ values, low, step }) {
  const found = new Float32Array(values.length);
  for (let n = 0; n < found.length; n++) found[n] = values[n] ? low + (values[n] - 1) * step : NaN;
  return found;
}

async function decodeImage(uri) {
  const image = new Image();
  image.src = uri;
  await image.decode();
  return image;
}

const rgbOf = colour => [1, 3, 5].map(at => parseInt(colour.slice(at, at + 2), 16));
const HAND_COLOURS = { left: '#8fd3ff', right: '#ffe08a' };  // of keypoints

/** Everything of a stretch that the panels draw, unpacked. */
async function unpackAll(data) {
  const { tracks, geometry } = data;
  const [pictures, masks, pixels, visible, colours, places, inverse, sure, turbo] = await Promise.all([
    Promise.all(data.pictures.map(decodeImage)), unpack(data.masks), unpack(tracks.pixels), unpack(tracks.visible),
    unpack(tracks.colours), tracks.places && unpack(tracks.places),
    geometry && unpack(geometry.inverse), geometry && unpack(geometry.sure),
    geometry && unpack(geometry.turbo)]);
  data.pictures = data.masks.data = null;
  const css = [], count = tracks.shown;
  for (let m = 0; m < count; m++) css.push(`rgb(${colours.values.subarray(3 * m, 3 * m + 3).join()})`);
  return { pictures, masks, turbo: turbo?.values, inverse, sure: sure?.values,
    tracks: { count, pixels: numbers(pixels), visible: visible.values, colours: colours.values, css,
      places: places && numbers(places) } };
}
