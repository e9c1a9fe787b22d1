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
    const table = document.createElement("table");
    table.innerHTML = "<caption class='sr-only'>All masks on the photo</caption>";
    const head = table.createTHead().insertRow();
    NAMES.forEach((name, column) => {
        const cell = document.createElement("th");
        const here = sorted.column === column;
        cell.scope = "col";
        cell.setAttribute("aria-sort", here ? (sorted.up ? "ascending" : "descending") : "none");
        const button = document.createElement("button");
        button.textContent = name;
        button.addEventListener("click", () => {
            sorted = {column, up: here ? !sorted.up : column === 0};
            draw();
            box.querySelectorAll("th button")[column].focus();
        });
        cell.append(button);
        head.append(cell);
    });
    const body = table.createTBody();
    for (const index of order) {
        const row = body.insertRow();
        row.dataset.mask = index;
        value.rows[index].forEach((cell, column) => {
            const place = row.insertCell();
            if (column) place.textContent = shown(cell, column);
            else {
                const button = document.createElement("button");
                button.textContent = cell;
                button.setAttribute("aria-label", `Mask ${cell}: show it alone`);
                button.style.setProperty("--colour", value.colours[index]);
                place.append(button);
            }
        });
    }
    box.replaceChildren(table);
    if (focused >= 0) box.querySelectorAll("th button")[focused]?.focus();
}

const rowOf = event => event.target.closest?.("tr[data-mask]");
box.addEventListener("pointerover", event => rowOf(event) && send("mask:look", Number(rowOf(event).dataset.mask)));
box.addEventListener("focusin", event => rowOf(event) && send("mask:look", Number(rowOf(event).dataset.mask)));
box.addEventListener("pointerleave", () => send("mask:look", -1));
box.addEventListener("click", event => rowOf(event) && send("mask:pick", Number(rowOf(event).dataset.mask)));
document.addEventListener("mask:looked", event => {
    for (const row of box.querySelectorAll("tr[data-mask]"))
        row.classList.toggle("looked", Number(row.dataset.mask) === event.detail.index);
});
document.addEventListener("viewer:drawn", () => { // a row may be looked at since before
    const row = box.querySelector("tr[data-mask]:is(:hover, :focus-within)");
    if (row) send("mask:look", Number(row.dataset.mask));
});
watch("value", draw);
