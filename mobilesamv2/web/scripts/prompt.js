// Point and box, by mouse, touch or keys. The page owns what a visitor points at: objects with points, a box and the chosen
// mask, and undo. The server answers questions, one at a time: masks for the prompts of one object. An answer names its
// question and is dropped when that is gone. Places are shares of the photo's width and height.
// `WORDS`, defined before this, has sentences, limits and colours.
const pad = element.querySelector(".pad");
const part = (name) => pad.querySelector(`.pad-${name}`);
const [picture, photo, layers, marks, aloud, tip] = ["picture", "photo", "layers", "marks", "aloud", "tip"].map(part);
const FAR = 6; // pixels a pointer travels before a click becomes a box
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

let now, history; // {objects, active: a number}, and what it was before: replaced, never changed
let asked, latest = 0; // the question under way, and its number
let working, problem; // what is said of it, and of what could not be done
let copy, isUnseen, isLoaded; // of a photo that the browser cannot show; whether that is to be asked for; whether a photo is there
let down, corner, reach, cursor; // where a pointer is down, a box began, the box ends so far, the keys are

const address = () => (copy ?? props.value?.photo)?.url ?? "";
const size = () => copy?.size ?? [photo.naturalWidth, photo.naturalHeight];
const mode = () => document.querySelector("#prompt-mode input:checked")?.value ?? "on";
const within = (share) => Math.min(1, Math.max(0, share));
const corners = (a, b) => [Math.min(a.x, b.x), Math.min(a.y, b.y), Math.max(a.x, b.x), Math.max(a.y, b.y)];

// Objects. An answer comes into an object wherever undo has it by then. `before` is the object without its last place.

const fresh = (number) => ({ number, points: [], box: null, answer: null, chosen: null, before: null });
const isEmpty = ({ points, box }) => !points.length && !box;
const active = () => now.objects.find(({ number }) => number === now.active);
const settled = (object) => (!object || object.answer ? object : settled(object.before)); // as much of it as is answered
const chosen = ({ answer, chosen }) => chosen ?? answer?.best;
const mask = (object) => object?.answer?.masks[chosen(object)];
const colour = ({ number }) => WORDS.colours[(number - 1) % WORDS.colours.length];

function change(state, changed) { // of the active object of a state; it has no answer then
    const before = state.objects.find(({ number }) => number === state.active);
    const object = { ...before, answer: null, chosen: null, before, ...changed(before) };
    step({ ...state, objects: state.objects.map((one) => (one === before ? object : one)) });
}

function step(next) {
    if (next.objects.length > WORDS.mostObjects) problem = WORDS.full;
    else if (next !== now) [history, now] = [[...history, now].slice(-100), next];
}

function another() { // a new object to point at, unless there is an empty one
    const number = 1 + Math.max(...now.objects.map((object) => object.number));
    return isEmpty(active()) ? now : { objects: [...now.objects, fresh(number)], active: number };
}

const ACTIONS = {
    point: (point) => change(now, ({ points }) => ({ points: [...points, point] })),
    box: (box) => change(another(), () => ({ box })),
    New: () => step(another()),
    Undo: () => (now = history.pop() ?? now),
    Remove() {
        const rest = now.objects.filter((object) => object !== active());
        if (!rest.length) rest.push(fresh(now.active + 1));
        step({ objects: rest, active: rest[Math.max(0, now.objects.indexOf(active()) - 1)].number });
    },
    Clear: () => step(now.objects.every(isEmpty) ? now : { objects: [fresh(1)], active: 1 }),
    choose: (index) => change(now, ({ answer, before }) => ({ answer, before, chosen: Number(index) })),
    select: (number) => (now = { objects: now.objects.filter((one) => !isEmpty(one) || one.number === number), active: number }),
    refuse: (sentence) => (problem = sentence),
};
pad.act = (name, value) => {
    const isWaiting = corner !== null;
    down = corner = reach = null;
    problem = address() ? "" : WORDS.noPhoto;
    if (!problem && !(isWaiting && name === "Undo")) ACTIONS[name](value); // that corner is what was done last
    if (!problem && WORDS.placed[name]) aloud.textContent = WORDS.placed[name];
    show();
};

// Questions

function inPixels({ number, points, box, ...object }) { // points from the middle of the first pixel, boxes from its edge
    const [width, height] = size();
    const rounded = (pixels) => Math.round(100 * pixels) / 100;
    return {
        number,
        points: points.map(({ x, y }) => [rounded(x * width - 0.5), rounded(y * height - 0.5)]),
        labels: points.map(({ label }) => label),
        boxes: box?.map((share, side) => rounded(share * (side % 2 ? height : width))),
        chosen: chosen(object),
    };
}

function ask() {
    const object = isLoaded && now.objects.find((one) => !isEmpty(one) && !one.answer);
    if (asked || !(object || isUnseen)) return;
    asked = { id: ++latest, object };
    trigger("ask", { ...(object ? inPixels(object) : { look: true }), id: latest, job: window.jobs?.latest() ?? 0 });
}

pad.answer = (answer) => {
    if (!asked || answer?.id !== asked.id) return;
    working = answer.step ?? "";
    if (working) return trigger("told");
    const { object } = asked;
    asked = null;
    problem = answer.problem ?? problem;
    if (!object) [copy, isUnseen] = [answer.copy ?? {}, false];
    else if (answer.masks) object.answer = answer;
    else withdraw(object);
    show();
};
pad.lost = () => pad.answer({ id: asked?.id }); // Gradio says why

function withdraw(failed) { // as if the object had never become that; what was done since stays
    const states = [...history, now];
    const at = states.findIndex(({ objects }) => objects.includes(failed));
    if (at > 0) states.splice(at, 1);
    history = states.map(({ objects, active }) => ({
        active,
        objects: objects.map((one) => (one === failed ? one.before : one)).filter((one) => !isEmpty(one) || one.number === active),
    }));
    now = history.pop();
}

// What is said and chosen in the components around

const radio = (choices, value) => {
    const visible = choices.length > 1;
    return { __type__: "update", choices: visible ? choices : [], value: visible ? value : null, visible };
};
const row = (object) => {
    const points = object.points.length && `${object.points.length} point${object.points.length > 1 ? "s" : ""}`;
    return `<tr><th scope="row"><i style="background:${colour(object)}"></i>${object.number}</th>
        <td>${[points, object.box && "a box"].filter(Boolean).join(" and ")}</td>${mask(object)?.cells ?? WORDS.noCells}</tr>`;
};
pad.told = () => {
    const rows = now.objects.filter((object) => !isEmpty(object)).map(row).join("");
    const isWanted = now.objects.some((object) => object.number === asked?.object?.number && !isEmpty(object));
    const said = (isWanted && working) || (active().answer?.note ?? "");
    const table = rows && `<table class="targets"><thead>${WORDS.head}</thead><tbody>${rows}</tbody></table>`;
    return [
        radio((active().answer?.masks ?? []).map(({ label }, index) => [label, String(index)]), String(chosen(active()))),
        radio(now.objects.map(({ number }) => [String(number), number]), now.active),
        rows || problem ? `${problem}<div class="outcome">${said}${table}</div>` : WORDS.idle,
        now.objects.map(settled).filter(mask).map(inPixels),
    ];
};

// Drawing

function show() {
    draw();
    trigger("told");
    ask();
}

function mark(kind, style, colour = "") {
    marks.append(Object.assign(document.createElement("i"), { className: kind }));
    marks.lastChild.style.cssText = style + (colour && `;--colour:${colour}`);
}
const dot = ({ x, y }, kind, colour) => mark(`pad-dot ${kind}`, `left:${100 * x}%;top:${100 * y}%`, colour);
const frame = ([x0, y0, x1, y1], kind, colour) =>
    mark(`pad-box ${kind}`, `left:${100 * x0}%;top:${100 * y0}%;width:${100 * (x1 - x0)}%;height:${100 * (y1 - y0)}%`, colour);

function draw() {
    if ((photo.getAttribute("src") ?? "") !== address()) {
        isLoaded = false;
        if (address()) photo.src = address();
        else photo.removeAttribute("src");
    }
    pad.classList.toggle("with-photo", Boolean(address()));
    const masks = now.objects.map((object) => mask(settled(object))).filter(Boolean).sort((a, b) => b.area - a.area);
    for (const one of masks) one.image ??= Object.assign(new Image(), { className: "pad-layer", alt: "", src: one.layer });
    layers.replaceChildren(...masks.map(({ image }) => image)); // parts on wholes
    marks.replaceChildren();
    for (const object of now.objects) {
        const done = settled(object);
        const kind = (isDone) => (object === active() ? "active" : "") + (isDone ? "" : " pending");
        if (object.box) frame(object.box, kind(done?.box), colour(object));
        object.points.forEach((point, index) =>
            dot(point, `${point.label ? "on" : "beside"} ${kind(index < done?.points.length)}`, colour(object)));
    }
    if (reach && (corner ?? down)) frame(corners(corner ?? down, reach), "drawing");
    if (cursor) dot(cursor, "cursor");
    if (cursor) tell(cursor);
}

function tell(where) { // which pixel that is, for those who count or type them
    tip.hidden = !where;
    if (!where) return;
    const [x, y] = [where.x, where.y].map((share, side) => Math.min(size()[side] - 1, Math.floor(share * size()[side])));
    tip.textContent = `${x}, ${y} of ${size().join(" × ")} pixels`;
}

photo.addEventListener("load", () => {
    isLoaded = true;
    picture.style.setProperty("--ratio", photo.naturalWidth / photo.naturalHeight);
    show();
});

function look() { // the browser cannot show the photo, or was not told of it
    isUnseen = !copy;
    ask();
}
photo.addEventListener("error", look);
new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && !address() && look()).observe(element);

// Pointing

function click(where, isBeside) {
    if (mode() === "box" && !isBeside) turn(where);
    else pad.act("point", { ...where, label: isBeside || mode() === "beside" ? 0 : 1 });
}

function turn(where) { // the first corner of a box, or the second
    if (corner) return pad.act("box", corners(corner, where));
    corner = reach = where;
    aloud.textContent = WORDS.placed.corner;
    draw();
}

function drop() {
    down = corner = reach = null;
    draw();
}

pad.type = (words) => { // in pixels
    const numbers = words.split(/[\s,;()[\]]+/).filter(Boolean).map(Number);
    const shares = (edge) => numbers.map((pixels, index) => (pixels + edge) / size()[index % 2]);
    if (isLoaded && numbers.every(Number.isFinite) && [2, 4].includes(numbers.length)) {
        const [x, y] = shares(0.5);
        const [x0, y0, x1, y1] = shares(0).map(within);
        if (numbers.length === 2) pad.act("point", { x, y, label: mode() === "beside" ? 0 : 1 });
        else pad.act("box", corners({ x: x0, y: y0 }, { x: x1, y: y1 }));
    } else {
        const got = Object.assign(document.createElement("p"), { textContent: words.trim().slice(0, 40) || "nothing" });
        pad.act("refuse", WORDS.notAPlace.replace("{}", () => got.innerHTML));
    }
};

function place(event) {
    const { left, top, width, height } = picture.getBoundingClientRect();
    return { x: within((event.clientX - left) / width), y: within((event.clientY - top) / height) };
}

picture.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 && event.button !== 2) return;
    cursor = null;
    down = { ...place(event), left: event.clientX, top: event.clientY, isFar: false };
    picture.setPointerCapture(event.pointerId);
    pad.focus({ preventScroll: true });
});
picture.addEventListener("pointermove", (event) => {
    const draws = event.pointerType !== "touch" || mode() === "box";
    if (event.pointerType !== "touch") tell(place(event));
    if (down && draws && Math.hypot(event.clientX - down.left, event.clientY - down.top) > FAR) down.isFar = true;
    if (down?.isFar) corner = null;
    if (!down?.isFar && !corner) return;
    reach = place(event);
    draw();
});
picture.addEventListener("pointerup", (event) => {
    const from = down;
    down = null;
    if (from?.isFar) pad.act("box", corners(from, place(event)));
    else if (from) click(place(event), event.button === 2 || event.shiftKey);
});
picture.addEventListener("pointerleave", () => tell(cursor));
picture.addEventListener("pointercancel", () => (tell(null), drop()));
picture.addEventListener("contextmenu", (event) => event.preventDefault());
document.addEventListener("change", ({ target }) => target.closest("#prompt-mode") && drop());

pad.addEventListener("keydown", (event) => {
    if (!address() || event.altKey || event.metaKey || (event.ctrlKey && event.key !== "z")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const here = cursor ?? { x: 0.5, y: 0.5 };
    if (key in ARROWS) {
        const [wide, high] = event.shiftKey ? size().map((side) => 1 / side) : [0.02, 0.02];
        cursor = { x: within(here.x + ARROWS[key][0] * wide), y: within(here.y + ARROWS[key][1] * high) };
        if (corner) reach = cursor;
        aloud.textContent = `${Math.round(100 * cursor.x)} % from the left, ${Math.round(100 * cursor.y)} % from the top.`;
        draw();
    } else if (key === "b" || (corner && ["Enter", " "].includes(key))) turn(cursor = here);
    else if (["Enter", " ", "n"].includes(key)) click(cursor = here, key === "n");
    else if (key === "u" || (key === "z" && event.ctrlKey)) pad.act("Undo");
    else if (key === "Escape") drop();
    else return;
    event.preventDefault();
});
pad.addEventListener("blur", () => {
    cursor = null;
    tell(null);
    draw();
});

function begin() { // with a photo, or without one
    asked = copy = isUnseen = down = corner = reach = cursor = null;
    [problem, working, history, now] = ["", "", [], { objects: [fresh(1)], active: 1 }];
    draw();
}
watch("value", () => (begin(), trigger("told")));
begin();
