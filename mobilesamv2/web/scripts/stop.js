// Makes stops come through. Gradio stops a run by the number that the server gave it; before that answer is here, it
// asks to stop no number, which the server refuses while the run goes on. And it stops what an event cancels one after
// the other, waiting for each: what was asked for meanwhile would be found and stopped, too. So it is answered at
// once, and what must wait for a stop waits here: the next run of the same function, whose task the server would stop
// with the one before, and those who ask.
// `window.runs.allStopped` waits for all stops; `window.runs.willShow` tells whether a run that was asked for since
// `window.runs.forget` shows something in a component. Gradio takes a stopped run for a failed one, twice: at once, and
// when the server tells of its end; `window.runs.isLate` tells whether the next run was asked for in between.
() => {
    const LONGEST_WAIT = 10000; // milliseconds for a run to get its number
    const LATEST_END = 1000; // milliseconds after a stop
    const asked = new Map(); // function: a promise of the number of its run, as long as that has none
    const waiting = new Map(); // function: stops that came before the run was asked for
    const stopped = new Set(); // numbers of runs
    const underWay = new Map(); // promises of stops: the function
    const { dependencies } = window.gradio_config;
    const cancelled = new Set(dependencies.flatMap(({ cancels }) => cancels));
    const shows = new Map(); // function of a run that somebody asks for: the components that it shows something in
    for (const { id, api_name, outputs } of dependencies)
        if (cancelled.has(id) && !["kept_example", "example"].includes(api_name)) shows.set(id, outputs);
    const shown = new Set(); // components of the runs that were asked for
    const stops = new Map(); // name of a function: when its last run was stopped, and whether that was heard once
    const asks = new Map(); // name of a function: when its last run was asked for
    const names = new Map(dependencies.map(({ id, api_name }) => [id, api_name]));
    const plain = window.fetch;
    const done = () => new Response('{"success": true}', {headers: {"Content-Type": "application/json"}});

    const join = (fn, resource, options) => {
        for (const id of shows.get(fn) ?? []) shown.add(id);
        asks.set(names.get(fn), performance.now());
        const before = waiting.has(fn) ? [] : [...underWay].filter(([, other]) => other === fn).map(([stop]) => stop);
        const answer = Promise.all(before).then(() => plain(resource, options));
        const number = answer.then(given => given.clone().json()).then(given => given.event_id).catch(() => undefined);
        asked.set(fn, number);
        for (const go of waiting.get(fn) ?? []) go(number);
        waiting.delete(fn);
        // A little later only: Gradio reads the answer as slowly as we do.
        number.then(() => setTimeout(() => asked.get(fn) === number && asked.delete(fn), 500));
        return answer;
    };
    const numberOf = fn => asked.get(fn) ?? new Promise(go => {
        waiting.set(fn, [...(waiting.get(fn) ?? []), go]);
        setTimeout(go, LONGEST_WAIT);
    });
    const stop = async (body, resource, options) => {
        const number = body.event_id ?? await numberOf(body.fn_index);
        if (!number || stopped.has(number)) return; // it never began, or the server would fail: it is just stopping it
        stopped.add(number);
        await plain(resource, {...options, body: JSON.stringify({...body, event_id: number})});
        stops.set(names.get(body.fn_index), {at: performance.now(), heard: false});
    };
    const noted = (fn, stopping) => {
        const ended = stopping.catch(() => {}).then(() => underWay.delete(ended)); // without a server there is no run
        underWay.set(ended, fn);
        return done();
    };
    window.runs = {
        forget: () => shown.clear(),
        willShow: id => shown.has(id),
        isLate: name => {
            const stop = stops.get(name);
            if (!stop) return false;
            const isLate = stop.heard && asks.get(name) > stop.at && performance.now() - stop.at < LATEST_END;
            if (stop.heard) stops.delete(name);
            stop.heard = true;
            return isLate;
        },
        allStopped: async () => {
            await new Promise(go => setTimeout(go, 50)); // Gradio sends the stops of an event after its other listeners
            await Promise.all(underWay.keys());
        },
    };
    window.fetch = async (resource, options) => {
        if (options?.method !== "POST" || typeof options.body !== "string") return plain(resource, options);
        const path = new URL(resource.url ?? resource, location).pathname;
        if (path.endsWith("/queue/join")) return join(JSON.parse(options.body).fn_index, resource, options);
        if (path.endsWith("/cancel")) {
            const body = JSON.parse(options.body);
            return noted(body.fn_index, stop(body, resource, options));
        }
        // What follows each stop: the server does nothing for it, but refuses it without a number.
        if (path.endsWith("/reset")) return done();
        return plain(resource, options);
    };
}
