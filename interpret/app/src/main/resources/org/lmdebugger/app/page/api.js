// The server's interface. What it refuses comes as a Problem whose message says what to do.

export class Problem extends Error {
    constructor(title, detail, status) {
        super(detail);
        this.title = title;
        this.status = status;
    }
}

let model = null; // the fingerprint of the model that this page is about

/** Has every request from now on refused that would reach another model: no page mixes the numbers of two. */
export const keepTo = fingerprint => (model = fingerprint);

const isOfAnyModel = path => /^\/api\/v1\/models?$/.test(path);

async function send(method, path, body, signal) {
    const headers = {
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...(model === null || isOfAnyModel(path) ? {} : { 'LMDebugger-Model': model })
    };
    let response;
    try {
        response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal });
    } catch (failure) {
        throw failure.name === 'AbortError'
            ? failure
            : new Problem('No answer', 'The server cannot be reached. Is lmdebug serve still running?', 0);
    }
    if (!response.ok) {
        throw await problem(response);
    }
    return response;
}

async function problem(response) {
    const json = (response.headers.get('Content-Type') ?? '').includes('json') ? await response.json() : {};
    return new Problem(json.title ?? 'Error', json.detail ?? `The server answered ${response.status}.`, response.status);
}

/** The JSON answered. */
export async function request(method, path, body, signal) {
    const response = await send(method, path, body, signal);
    return response.status === 204 ? null : response.json();
}

export const get = (path, signal) => request('GET', path, undefined, signal);
export const post = (path, body, signal) => request('POST', path, body, signal);

/** The same for what is built when it is first asked for: asks again until it is there, telling how far it is. */
export async function getBuilt(path, signal, progress) {
    while (true) {
        const response = await send('GET', path, undefined, signal);
        const json = await response.json();
        if (response.status !== 202) {
            return json;
        }
        progress(json);
        await pause(500, signal);
    }
}

export function pause(milliseconds, signal) {
    return new Promise((resolve, reject) => {
        const timer = setTimeout(resolve, milliseconds);
        signal?.addEventListener('abort', () => {
            clearTimeout(timer);
            reject(signal.reason);
        });
    });
}

/** Server-sent events, one after the other, as {name, data}; an event "problem" is thrown. */
export async function* events(method, path, body, signal) {
    const response = await send(method, path, body, signal);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
        const blocks = (text + read.value).split('\n\n');
        text = blocks.pop();
        for (const block of blocks) {
            const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(block);
            if (name === 'problem') {
                const { title, detail, status } = JSON.parse(data);
                throw new Problem(title, detail, status);
            }
            yield { name, data: JSON.parse(data) };
        }
    }
}
