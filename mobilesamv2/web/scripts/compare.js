// Two overlays of one photo under a slider that mouse, touch and arrow keys move. The layers come with the value; which
// of them are seen is chosen by `view` ("both", "left", "right", "alone") and `drawn` (the prompts), which stay as they
// were when a new result comes without them.
const duel = element.querySelector(".duel");
const frame = element.querySelector(".duel-frame");
const photo = element.querySelector(".duel-photo");
const names = element.querySelector(".duel-names");
const empty = element.querySelector(".duel-empty");
const split = element.querySelector(".duel-split");
const chosen = { view: "both", drawn: false };

function source(image, file) {
    const url = file?.url ?? "";
    if (url && image.getAttribute("src") !== url) image.src = url;
    if (!url) image.removeAttribute("src");
}

function move() {
    frame.style.setProperty("--split", `${split.value}%`);
    split.setAttribute("aria-valuetext", `${split.value} % ${names.querySelector(".left").textContent}`);
}

function describe([left, right], found) {
    const masks = "The photo with the masks of ";
    return {
        both: `${masks}${left} to the left of the line and of ${right} to the right of it`,
        left: masks + left,
        right: masks + right,
        alone: `The photo in grey with the masks that one of the two found alone: ${found.left}, ${found.right}`,
    }[chosen.view];
}

function show() {
    const value = props.value ?? {};
    chosen.view = value.view ?? chosen.view;
    chosen.drawn = value.drawn ?? chosen.drawn;
    duel.dataset.view = chosen.view;
    duel.classList.toggle("drawn", chosen.drawn);
    const there = Boolean(value.photo);
    frame.hidden = names.hidden = !there;
    empty.hidden = there;
    const layers = value.layers ?? {};
    source(photo, value.photo);
    source(element.querySelector(".duel-alone"), layers.alone);
    for (const side of ["left", "right"]) {
        source(element.querySelector(`.duel-side.${side} .masks`), layers[side]);
        source(element.querySelector(`.duel-side.${side} .prompts`), layers[`${side}_prompts`]);
    }
    if (!there) return;
    frame.style.setProperty("--ratio", value.size[0] / value.size[1]);
    const alone = chosen.view === "alone";
    const labels = alone ? [value.found.left, value.found.right] : value.names;
    names.querySelector(".left").textContent = labels[0];
    names.querySelector(".right").textContent = labels[1];
    names.querySelector(".matched").textContent = alone ? value.found.matched : "";
    photo.alt = describe(value.names, value.found);
    move();
}

split.addEventListener("input", move);
watch("value", show);
show();
