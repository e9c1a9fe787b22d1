// A photo may be dropped anywhere on the page or pasted at any time, also where one is already.
() => {
    const photoOf = transfer => [...(transfer?.files || [])].find(file => file.type.startsWith("image/"));
    const bring = file => {
        const field = document.querySelector("#photo input[type=file]");
        if (!field) return;
        const chosen = new DataTransfer();
        chosen.items.add(file);
        field.files = chosen.files;
        field.dispatchEvent(new Event("change", {bubbles: true}));
    };
    document.addEventListener("paste", event => {
        const file = photoOf(event.clipboardData);
        if (!file) return;
        event.preventDefault();
        event.stopImmediatePropagation();
        bring(file);
    }, true);
    const elsewhere = event => [...(event.dataTransfer?.types || [])].includes("Files")
        && !event.target.closest?.("#photo:has(input[type=file]), #batch-photos, [data-takes-files]");
    document.addEventListener("dragover", event => elsewhere(event) && event.preventDefault());
    document.addEventListener("drop", event => {
        if (!elsewhere(event)) return;
        event.preventDefault();
        const file = photoOf(event.dataTransfer);
        if (file) bring(file);
    });
}
