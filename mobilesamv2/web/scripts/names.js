// Names the pictures to which Gradio gives none, now and whenever one comes, for those who cannot see them.
() => {
    const name = () => {
        for (const empty of document.querySelectorAll("div.empty[aria-label]:not([role])")) empty.role = "img";
        for (const image of document.querySelectorAll("#examples .gallery-item img:not([alt^=Example])")) {
            const file = decodeURIComponent(image.src.split("/").pop()).replace(/\.[^.]*$/, "");
            image.alt = image.closest("button").title = `Example: ${file.replace(/[-_]/g, " ")}`;
        }
        // A button within a button, and a name that is none: only the inner one is left as a button.
        for (const outer of document.querySelectorAll("#batch-photos .icon-button:has(.upload-container):not([role])")) {
            outer.role = "group";
            outer.tabIndex = -1;
            outer.ariaLabel = outer.title = "Add photos";
        }
    };
    name();
    new MutationObserver(name).observe(document.getElementById("bench"), {childList: true, subtree: true});
}
