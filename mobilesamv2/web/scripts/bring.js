// A photo may be dropped anywhere on the page or pasted at any time, also where one is already; under Several photos
// they go there, and all of them are taken.
() => {
    const photosOf = transfer => [...(transfer?.files || [])].filter(file => file.type.startsWith("image/"));
    const takesSeveral = () => document.querySelector("#batch-tab-button[aria-selected=true]") !== null;
    const bring = files => {
        const several = takesSeveral();
        const field = document.querySelector(`${several ? "#batch-photos" : "#photo"} input[type=file]`);
        if (!field || !files.length) return;
        const chosen = new DataTransfer();
        for (const file of several ? files : files.slice(0, 1)) chosen.items.add(file);
        field.files = chosen.files;
        field.dispatchEvent(new Event("change", {bubbles: true}));
    };
    document.addEventListener("paste", event => {
        const files = photosOf(event.clipboardData);
        if (!files.length) return;
        event.preventDefault();
        event.stopImmediatePropagation();
        bring(files);
    }, true);
    const elsewhere = event => [...(event.dataTransfer?.types || [])].includes("Files")
        && !event.target.closest?.("#photo:has(input[type=file]), #batch-photos, [data-takes-files]");
    document.addEventListener("dragover", event => elsewhere(event) && event.preventDefault());
    document.addEventListener("drop", event => {
        if (!elsewhere(event)) return;
        event.preventDefault();
        bring(photosOf(event.dataTransfer));
    });
}
