// Points and boxes on a photo, by mouse, touch or keys. Knows nothing of masks or models: places go out as shares of
// the picture's width and height, and what comes back is drawn: a layer of masks, points, boxes.
const pad = element.querySelector(".pad");
const picture = element.querySelector(".pad-picture");
const photo = element.querySelector(".pad-photo");
const layer = element.querySelector(".pad-layer");
const marks = element.querySelector(".pad-marks");
const aloud = element.querySelector(".pad-aloud");
const tip = element.querySelector(".pad-tip");
const FAR = 6; // pixels a pointer travels before a click becomes a box

let down = null; // where the pointer went down, while it is
let corner = null; // the first corner of a box that waits for its second
let cursor = null; // where the keys are
let reach = null; // the corner of the box being drawn that moves
let unanswered = []; // places that were sent and have no answer yet, oldest first; some are among the objects by now

const shown = () => props.value || {};
const mode = () => document.querySelector("#prompt-mode input:checked")?.value ?? "on";
const size = () => shown().size || [photo.naturalWidth, photo.naturalHeight]; // of the photo, not of a copy of it
const within = (share) => Math.min(1, Math.max(0, share));

function place(event) {
    const frame = picture.getBoundingClientRect();
    return {
        x: within((event.clientX - frame.left) / frame.width),
        y: within((event.clientY - frame.top) / frame.height),
    };
}

function send(what) {
    aloud.textContent = what.kind === "box" ? "Box placed." : "Point placed.";
    const place = { ...what, id: Array.from(crypto.getRandomValues(new Uint32Array(2))).join("-") };
    unanswered.push(place);
    markPending(place);
    trigger("place", { ...place, objects: shown().masks ?? 0 });
}

// Undo takes back what was done last, and that may be the first corner of a box, or have no answer yet; the others take
// back all of it.
pad.takeBack = (what) => {
    const waits = corner !== null;
    drop();
    if (waits && what === "undo") return;
    trigger("back", { what, unanswered: unanswered.map(({ id }) => id) });
    unanswered = what === "undo" ? unanswered.slice(0, -1) : [];
    draw();
};

function click(where, beside) {
    if (mode() === "box" && !beside) return turn(where);
    send({ kind: "point", ...where, label: beside || mode() === "beside" ? 0 : 1 });
}

function turn(where) {
    if (corner === null) {
        corner = reach = where;
        aloud.textContent = "First corner. Go to the opposite one.";
        return draw();
    }
    const corners = [corner.x, corner.y, where.x, where.y];
    drop();
    send({ kind: "box", corners });
}

function drop() {
    corner = down = reach = null;
    draw();
}

function tell(where) { // which pixel that is, for those who count or type them
    tip.hidden = !where;
    if (!where) return;
    const [width, height] = size();
    const pixel = (share, side) => Math.min(side - 1, Math.floor(share * side));
    tip.textContent = `${pixel(where.x, width)}, ${pixel(where.y, height)} of ${width} × ${height} pixels`;
}

// Drawing

function mark(node) {
    marks.append(node);
    return node;
}

function dot({ x, y }, kind, colour) {
    const node = document.createElement("i");
    node.className = `pad-dot ${kind}`;
    node.style.cssText = `left:${100 * x}%;top:${100 * y}%`;
    if (colour) node.style.setProperty("--colour", colour);
    return node;
}

function box([x0, y0, x1, y1], kind, colour) {
    const node = document.createElement("i");
    node.className = `pad-box ${kind}`;
    const [left, top] = [Math.min(x0, x1), Math.min(y0, y1)];
    node.style.cssText =
        `left:${100 * left}%;top:${100 * top}%;width:${100 * Math.abs(x1 - x0)}%;height:${100 * Math.abs(y1 - y0)}%`;
    if (colour) node.style.setProperty("--colour", colour);
    return node;
}

function markPending(what) {
    mark(what.kind === "box" ? box(what.corners, "pending") : dot(what, what.label ? "on pending" : "beside pending"));
}

function source(image, address) {
    if (image.getAttribute("src") === address) return;
    if (address) image.src = address;
    else image.removeAttribute("src");
}

function draw() {
    const { photo: file, layer: masks, objects = [], waiting = [] } = shown();
    const address = file?.url;
    source(photo, address || null);
    source(layer, masks || null);
    layer.hidden = !masks;
    pad.classList.toggle("with-photo", Boolean(address));
    marks.replaceChildren();
    for (const { colour, active, places, around } of objects) {
        const kind = active ? "active" : "";
        if (around) mark(box(around, kind, colour));
        for (const [x, y, label] of places) mark(dot({ x, y }, `${kind} ${label ? "on" : "beside"}`, colour));
    }
    unanswered.filter(({ id }) => !waiting.includes(id)).forEach(markPending);
    const from = corner ?? down;
    if (from && reach) mark(box([from.x, from.y, reach.x, reach.y], "drawing"));
    if (cursor) mark(dot(cursor, "cursor"));
    if (cursor) tell(cursor);
}

photo.addEventListener("load", () => {
    picture.style.setProperty("--ratio", photo.naturalWidth / photo.naturalHeight);
    draw();
});
photo.addEventListener("error", () => {
    if (shown().photo) trigger("unseen", {}); // a format that browsers do not show, or no picture at all
});

// The tab is opened without an upload: there may be a photo at hand all the same.
new IntersectionObserver((seen) => {
    if (seen.some((entry) => entry.isIntersecting)) trigger(shown().photo ? "opened" : "unseen", {});
}).observe(element);

// Mouse and touch

picture.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 && event.button !== 2) return;
    cursor = null;
    down = { ...place(event), left: event.clientX, top: event.clientY, far: false };
    picture.setPointerCapture(event.pointerId);
    pad.focus({ preventScroll: true });
});
picture.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "touch") tell(place(event));
    if (down && !down.far) {
        const draws = event.pointerType !== "touch" || mode() === "box";
        down.far = draws && Math.hypot(event.clientX - down.left, event.clientY - down.top) > FAR;
    }
    if (down?.far || corner) {
        if (down?.far) corner = null;
        reach = place(event);
        draw();
    }
});
picture.addEventListener("pointerup", (event) => {
    if (!down) return;
    const { x, y, far } = down;
    const where = place(event);
    if (far) {
        drop();
        send({ kind: "box", corners: [x, y, where.x, where.y] });
    } else {
        down = null;
        click(where, event.button === 2 || event.shiftKey);
    }
});
picture.addEventListener("pointerleave", () => tell(cursor));
picture.addEventListener("pointercancel", () => {
    tell(null);
    drop();
});
picture.addEventListener("contextmenu", (event) => event.preventDefault());

document.addEventListener("change", ({ target }) => {
    if (target.closest("#prompt-mode")) drop(); // a corner that waits for its opposite
});

// Keys

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

pad.addEventListener("keydown", (event) => {
    if (!shown().photo || event.altKey || event.metaKey || (event.ctrlKey && event.key !== "z")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const here = () => (cursor ??= { x: 0.5, y: 0.5 });
    if (key in STEPS) {
        const [right, below] = STEPS[key];
        const { x, y } = here();
        const [wide, high] = event.shiftKey ? size().map((side) => 1 / side) : [0.02, 0.02];
        cursor = { x: within(x + right * wide), y: within(y + below * high) };
        if (corner) reach = cursor;
        aloud.textContent = `${Math.round(100 * cursor.x)} % from the left, ${Math.round(100 * cursor.y)} % from the top.`;
        draw();
    } else if (key === "Enter" || key === " ") {
        if (corner) turn(here());
        else click(here(), false);
    } else if (key === "n") click(here(), true);
    else if (key === "b") turn(here());
    else if (key === "u" || (key === "z" && event.ctrlKey)) pad.takeBack("undo");
    else if (key === "Escape") drop();
    else return;
    event.preventDefault();
});
pad.addEventListener("blur", () => {
    cursor = null;
    tell(null);
    draw();
});

watch("value", () => {
    const { turn, objects = [], answered } = shown(); // a photo that was not pointed at yet had no turn
    if (!objects.length) corner = down = reach = null;
    unanswered = turn ? unanswered.slice(1 + unanswered.findIndex(({ id }) => id === answered)) : [];
    draw();
});
draw();
