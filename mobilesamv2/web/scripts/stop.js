// Makes a stop come through that Gradio sends too early or twice. A run is stopped by the number that the server gave
// it; before that answer is here, Gradio asks to stop no number, which the server refuses while the run goes on. And
// the server fails where it is asked to stop a run that it is just stopping.
// `window.allStopped` waits for all stops; `window.askedSinceStop` tells whether a run was asked for since then.
() => {
    const LONGEST_WAIT = 10000; // milliseconds for a run to get its number
    const asked = new Map(); // function: a promise of the number of its run, as long as that has none
    const waiting = new Map(); // function: stops that came before the run was asked for
    const stopped = new Map(); // number: the answer to the stop of that run
    const underWay = new Set(); // promises of stops
    const { dependencies } = window.gradio_config;
    const runs = new Set(dependencies.flatMap(({ cancels }) => cancels));
    for (const { id, api_name } of dependencies)
        if (["kept_example", "example"].includes(api_name)) runs.delete(id); // nobody asks for these
    let askedSince = false;
    const plain = window.fetch;
    const done = () => new Response('{"success": true}', {headers: {"Content-Type": "application/json"}});

    const join = (fn, resource, options) => {
        askedSince ||= runs.has(fn);
        const answer = plain(resource, options);
        const number = answer.then(given => given.clone().json()).then(given => given.event_id, () => undefined);
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
        if (!number) return done(); // it never began
        if (!stopped.has(number)) {
            const sent = {...options, body: JSON.stringify({...body, event_id: number})};
            stopped.set(number, plain(resource, sent));
        }
        return (await stopped.get(number)).clone();
    };
    const noted = stopping => {
        underWay.add(stopping);
        stopping.finally(() => underWay.delete(stopping)).catch(() => {}); // Gradio hears of it
        return stopping;
    };
    window.askedSinceStop = () => askedSince;
    window.allStopped = async () => {
        askedSince = false;
        await new Promise(go => setTimeout(go, 50)); // Gradio sends the stops of an event after its other listeners
        await Promise.allSettled([...underWay]);
    };
    window.fetch = (resource, options) => {
        if (options?.method !== "POST" || typeof options.body !== "string") return plain(resource, options);
        const path = new URL(resource.url ?? resource, location).pathname;
        if (path.endsWith("/queue/join")) return join(JSON.parse(options.body).fn_index, resource, options);
        if (path.endsWith("/cancel")) return noted(stop(JSON.parse(options.body), resource, options));
        // What follows each stop: the server does nothing for it, but refuses it without a number.
        if (path.endsWith("/reset")) return Promise.resolve(done());
        return plain(resource, options);
    };
}
