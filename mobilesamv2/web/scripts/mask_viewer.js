// The mask viewer: a photo, the masks over it from a picture of ids, hover, click and keys, one mask alone.
// Told by its value {edition, photo, labels, colours, tips, size, name}; tells `select` {edition, mask}.
// Others on the page send events to `.viewer`: viewer:photo {url}, viewer:set {view | opacity}, mask:look {index}, mask:pick {index},
// mask:alone {edition, index, layer, card, box, prompt} or null. `viewer:drawn` says that other masks are shown now.
const viewer = element.querySelector(".viewer");
const frame = viewer.querySelector(".frame");
const photo = viewer.querySelector("img");
const [areas, lines, veil, focus] = viewer.querySelectorAll("canvas");
const tip = viewer.querySelector(".tip");
const card = viewer.querySelector(".card");
let shown = null; // what is shown, and `ids`: for each pixel the place of its mask from 1 on, 0 for none
let waiting = ""; // the address of the photo at hand, which is shown until it has masks
let alone = null;
let looked = -1;
let wanted = false; // whether the mask to come was chosen elsewhere, perhaps where the picture cannot be seen
let latest = 0; // of pictures that overtake each other the last one counts
let drawn = Promise.resolve(); // when the newest is

const tell = (name, detail) => document.dispatchEvent(new CustomEvent(name, {detail}));

async function pixels(url) {
    const exact = {premultiplyAlpha: "none", colorSpaceConversion: "none"};
    const bitmap = await createImageBitmap(await (await fetch(url)).blob(), exact);
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext("2d", {willReadFrequently: true});
    context.drawImage(bitmap, 0, 0);
    return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

function paint(canvas, width, height, colour) { // colour(place in the picture) -> [r, g, b, a] or undefined
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    for (let at = 0; at < width * height; at++) {
        const rgba = colour(at);
        if (rgba) image.data.set(rgba, 4 * at);
    }
    context.putImageData(image, 0, 0);
    return context;
}

function wait() { // nothing but the photo is shown, or nothing
    viewer.classList.toggle("waiting", Boolean(waiting));
    viewer.classList.toggle("empty", !waiting);
    viewer.setAttribute("aria-label", viewer.dataset.emptyName);
    if (waiting) photo.src = waiting;
    else photo.removeAttribute("src");
}

function onEdge(inside, at, width, height, reach) { // whether a pixel within `reach` is not like this one
    const x = at % width, y = (at - x) / width;
    for (let step = 1; step <= reach; step++) {
        if (x >= step && inside(at - step) !== inside(at)) return true;
        if (x + step < width && inside(at + step) !== inside(at)) return true;
        if (y >= step && inside(at - step * width) !== inside(at)) return true;
        if (y + step < height && inside(at + step * width) !== inside(at)) return true;
    }
    return false;
}

async function draw(value) {
    const turn = ++latest;
    if (!value) {
        shown = null;
        setAlone(null);
        wait();
        return;
    }
    const labels = await pixels(value.labels.url);
    if (turn !== latest) return;
    const {width, height, data} = labels;
    const ids = new Uint16Array(width * height);
    for (let at = 0; at < ids.length; at++) ids[at] = data[4 * at] + 256 * data[4 * at + 1];
    const rgb = value.colours.map(hex => [1, 3, 5].map(from => parseInt(hex.slice(from, from + 2), 16)));
    shown = {...value, width, height, ids};
    if (photo.getAttribute("src") !== value.photo.url) photo.src = value.photo.url;
    frame.style.setProperty("--ratio", width / height);
    const reach = Math.max(1, Math.round(Math.max(width, height) / 900));
    const own = at => ids[at];
    paint(areas, width, height, at => ids[at] && [...rgb[ids[at] - 1], 255]);
    paint(lines, width, height, at => ids[at] && onEdge(own, at, width, height, reach)
        && [...rgb[ids[at] - 1].map(part => Math.round(0.7 * part + 76)), 255]);
    paint(veil, width, height, at => !ids[at] && [255, 255, 255, 255]);
    viewer.classList.remove("empty", "waiting");
    viewer.setAttribute("aria-label", value.name);
    setAlone(null);
    look(-1);
    tell("viewer:drawn");
}

function look(index) { // light up what can be seen of a mask
    if (!shown || index === looked) return;
    looked = index;
    tell("mask:looked", {index});
    if (alone) return;
    tip.hidden = index < 0 || !shown.tips[index];
    if (index < 0) {
        focus.width = 0;
        return;
    }
    tip.textContent = shown.tips[index];
    const {ids, width, height} = shown;
    const inside = at => ids[at] === index + 1;
    const reach = Math.max(2, Math.round(Math.max(width, height) / 450));
    paint(focus, width, height, at =>
        inside(at) && (onEdge(inside, at, width, height, reach) ? [255, 255, 255, 255] : [255, 255, 255, 70]));
}

function makeRoom(wanted) { // for the card below the picture, on narrow pages
    const narrow = wanted && matchMedia("(max-width: 960px)").matches;
    for (let around = viewer.parentElement; around; around = around.parentElement) {
        if (narrow) around.style.setProperty("height", "auto", "important");
        else around.style.removeProperty("height");
        if (around.matches(".block")) break; // Gradio gives our class to two of them
    }
}

async function setAlone(one) {
    if (!one || !shown || one.edition !== shown.edition) {
        alone = null;
        card.hidden = true;
        makeRoom(false);
        viewer.classList.remove("alone");
        focus.width = 0;
        looked = -1;
        return;
    }
    const edition = shown.edition;
    const layer = await pixels(one.layer.url);
    if (!shown || shown.edition !== edition) return;
    alone = one;
    tip.hidden = true;
    const {width, height, data} = layer;
    const inside = at => data[4 * at] > 127;
    const around = viewer.dataset.view === "cutout" ? [255, 255, 255, 255] : [14, 16, 16, 178];
    const reach = Math.max(1, Math.round(Math.max(width, height) / 640));
    const context = paint(focus, width, height, at => {
        if (!inside(at)) return around;
        return onEdge(inside, at, width, height, reach) && [255, 255, 255, 255];
    });
    const scale = width / shown.size[0];
    const box = ([x0, y0, x1, y1], dash, colour) => {
        context.setLineDash(dash);
        for (const [ink, line] of [["rgba(16, 20, 22, 0.6)", 2 * reach + 2], [colour, 1.5 * reach]]) {
            context.strokeStyle = ink;
            context.lineWidth = line;
            context.strokeRect(x0 * scale, y0 * scale, (x1 - x0) * scale, (y1 - y0) * scale);
        }
    };
    if (one.prompt.box) box(one.prompt.box, [6 * reach, 4 * reach], "#ffd37a");
    box(one.box, [], shown.colours[one.index]);
    for (const [x, y] of one.prompt.points || []) {
        context.beginPath();
        context.arc((x + 0.5) * scale, (y + 0.5) * scale, 4 * reach, 0, 2 * Math.PI);
        context.fillStyle = "#ffd37a";
        context.fill();
        context.setLineDash([]);
        context.lineWidth = reach;
        context.strokeStyle = "rgb(16, 20, 22)";
        context.stroke();
    }
    viewer.classList.add("alone");
    card.querySelector("div").innerHTML = one.card; // made and escaped by the server
    card.classList.toggle("right", one.box[0] + one.box[2] < shown.size[0]); // on the other side than the mask
    card.hidden = false;
    makeRoom(true);
    looked = one.index;
    tell("mask:looked", {index: one.index});
    if (wanted) bringIntoView();
    wanted = false;
}

function bringIntoView() {
    const {top, bottom} = viewer.getBoundingClientRect();
    if (top < 0 || bottom > innerHeight) viewer.scrollIntoView({block: "start"});
}

async function pick(index) {
    await drawn; // the table may show masks a moment before
    if (!shown || !shown.edition) return;
    if (index < 0) setAlone(null);
    else trigger("select", {edition: shown.edition, mask: index});
}

function under(event) { // the place of the mask under the pointer, -1 for none
    if (!shown) return -1;
    const at = frame.getBoundingClientRect();
    const x = Math.floor((event.clientX - at.left) / at.width * shown.width);
    const y = Math.floor((event.clientY - at.top) / at.height * shown.height);
    const within = x >= 0 && y >= 0 && x < shown.width && y < shown.height;
    return within ? shown.ids[y * shown.width + x] - 1 : -1;
}

frame.addEventListener("pointermove", event => {
    if (event.pointerType === "mouse" && viewer.dataset.view !== "original") look(under(event));
});
frame.addEventListener("pointerleave", () => alone || look(-1));
frame.addEventListener("click", event => pick(under(event)));
card.querySelector("div").addEventListener("click", event => { // the whole or a part of the mask
    const other = event.target.closest("[data-mask]");
    if (!other) return;
    viewer.focus({preventScroll: true}); // the button goes with its card
    pick(Number(other.dataset.mask));
});
card.querySelector(":scope > button").addEventListener("click", () => {
    setAlone(null);
    viewer.focus();
});
viewer.addEventListener("keydown", event => {
    const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
    const count = shown ? shown.colours.length : 0;
    if (step && count) {
        event.preventDefault();
        pick(looked < 0 && step < 0 ? count - 1 : (looked + step + count) % count);
    }
});
// Also from the table, where a mask may have been chosen.
document.addEventListener("keydown", event => event.key === "Escape" && viewer.checkVisibility() && setAlone(null));
photo.addEventListener("load", () => {
    if (!shown) frame.style.setProperty("--ratio", photo.naturalWidth / photo.naturalHeight);
});
photo.addEventListener("error", () => { // a format that browsers do not show
    if (shown || !waiting) return;
    waiting = "";
    wait();
});
viewer.addEventListener("viewer:photo", event => {
    waiting = event.detail.url;
    if (!shown) wait();
});
viewer.addEventListener("viewer:set", event => {
    const {view, opacity} = event.detail;
    if (view) viewer.dataset.view = view;
    if (opacity !== undefined) viewer.style.setProperty("--opacity", opacity);
    if (view && alone) setAlone(alone);
});
viewer.addEventListener("mask:look", event => alone || look(event.detail.index));
viewer.addEventListener("mask:pick", event => {
    wanted = true;
    pick(event.detail.index);
});
viewer.addEventListener("mask:alone", event => setAlone(event.detail));
watch("value", () => (drawn = draw(props.value)));
if (props.value) drawn = draw(props.value);
