// Numbers the jobs of this page, so that a stop names what it stops, in whatever order the server hears of them
// (`JobNumbers`). The buttons of a tab are set back when its latest job has ended.
() => {
    let latest = 0;
    let dropped = 0; // all jobs before this number are about a photo that is gone
    const latestOf = new Map(); // name of a tab: its latest job
    window.jobs = {
        begin: tab => (latestOf.set(tab, ++latest), latest),
        dropAll: () => (dropped = ++latest),
        dropped: () => dropped,
        latest: () => latest,
        latestOf: tab => latestOf.get(tab) ?? 0,
        isGone: number => number < dropped,
    };
}
