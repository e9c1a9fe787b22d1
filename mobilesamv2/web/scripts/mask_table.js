// The masks as a table that can be sorted. Told by its value {rows, colours}; looking at a row lights the mask up.
const NAMES = ["Mask", "Area", "Share", "Score", "Predicted IoU", "Stability"];
const box = element.querySelector(".masks-table");
const viewer = () => document.querySelector("#segment-stage .viewer");
const send = (name, index) => viewer()?.dispatchEvent(new CustomEvent(name, {detail: {index}}));
let sorted = {column: -1, up: false}; // as the server ranks them, best first

const shown = (value, column) => {
    if (value === null) return "–";
    if (column < 2) return value.toLocaleString("en");
    return column === 2 ? `${(100 * value).toFixed(value < 0.0095 ? 2 : 1)} %` : value.toFixed(2);
};

function draw() {
    const value = props.value;
    const focused = document.activeElement?.closest?.("th")?.cellIndex;
    if (!value || !value.rows.length) {
        box.replaceChildren();
        return;
    }
    const order = value.rows.map((_, index) => index);
    if (sorted.column >= 0) order.sort((a, b) => {
        const [first, second] = [a, b].map(index => value.rows[index][sorted.column] ?? -Infinity);
        return (sorted.up ? first - second : second - first) || a - b;
    });
    const head = NAMES.map((name, column) => {
        const sort = sorted.column !== column ? "none" : sorted.up ? "ascending" : "descending";
        return `<th scope="col" aria-sort="${sort}"><button>${name}</button></th>`;
    });
    const body = order.map(index => { // all of it is numbers
        const [number, ...others] = value.rows[index];
        const cells = others.map((cell, place) => `<td>${shown(cell, place + 1)}</td>`);
        return `<tr data-mask="${index}"><td><button style="--colour:${value.colours[index]}"
            aria-label="Mask ${number}: show it alone">${number}</button></td>${cells.join("")}</tr>`;
    });
    box.innerHTML = `<table><caption class="sr-only">All masks on the photo</caption>
        <thead><tr>${head.join("")}</tr></thead><tbody>${body.join("")}</tbody></table>`;
    if (focused >= 0) box.querySelectorAll("th button")[focused]?.focus();
}

const rowOf = event => event.target.closest?.("tr[data-mask]");
box.addEventListener("pointerover", event => rowOf(event) && send("mask:look", Number(rowOf(event).dataset.mask)));
box.addEventListener("focusin", event => rowOf(event) && send("mask:look", Number(rowOf(event).dataset.mask)));
box.addEventListener("pointerleave", () => send("mask:look", -1));
box.addEventListener("click", event => {
    const column = event.target.closest("th button")?.parentElement.cellIndex;
    if (column === undefined) return rowOf(event) && send("mask:pick", Number(rowOf(event).dataset.mask));
    sorted = {column, up: sorted.column === column ? !sorted.up : column === 0};
    draw();
    box.querySelectorAll("th button")[column].focus();
});
document.addEventListener("mask:looked", event => {
    for (const row of box.querySelectorAll("tr[data-mask]"))
        row.classList.toggle("looked", Number(row.dataset.mask) === event.detail.index);
});
document.addEventListener("viewer:drawn", () => { // a row may be looked at since before
    const row = box.querySelector("tr[data-mask]:is(:hover, :focus-within)");
    if (row) send("mask:look", Number(row.dataset.mask));
});
watch("value", draw);
