// Arrow keys go from choice to choice, as everywhere else: Gradio gives each radio button a name of its own.
() => {
    const STEPS = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1};
    document.addEventListener("keydown", event => {
        const radio = event.target.closest?.("input[type=radio]");
        const step = STEPS[event.key];
        if (!radio || !step || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
        const choices = [...radio.closest("fieldset, .block").querySelectorAll("input[type=radio]:not(:disabled)")];
        const next = choices[(choices.indexOf(radio) + step + choices.length) % choices.length];
        event.preventDefault();
        next.focus();
        next.click();
    });
}
