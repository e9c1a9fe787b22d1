// Puts the settings that are not as they are at first into the address of the page, and copies it.
(values, firsts, words) => {
    const address = new URL(location.href);
    const selected = document.querySelector("#tabs [role=tab][aria-selected=true]");
    const tab = (selected?.id ?? "").replace(/-tab-button$/, "");
    const names = Object.keys(firsts);
    [...values, tab || firsts.tab].forEach((value, index) => {
        const name = names[index];
        if (value === null || String(value) === String(firsts[name])) address.searchParams.delete(name);
        else address.searchParams.set(name, value);
    });
    history.replaceState(history.state, "", address);
    const button = document.querySelector("#permalink");
    const say = (what) => {
        button.textContent = what;
        setTimeout(() => (button.textContent = words.again), 2500);
    };
    // Clipboards are there on secure pages only; the address bar holds the link in any case.
    (navigator.clipboard?.writeText(address.href) ?? Promise.reject()).then(
        () => say(words.copied),
        () => say(words.address),
    );
}
