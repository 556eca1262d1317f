// The parts of an attribution, in groups as the network computes them: embeddings, attention and FFN of each layer.

const NAMES = [
    [/^(token|position)$/, () => 'embeddings'],
    [/^L(\d+)(H\d+|\.attentionBias)$/, layer => `L${layer} attention`],
    [/^L(\d+)\.(ffn|ffnBias)$/, layer => `L${layer} FFN`],
    [/^L(\d+)\.edits$/, layer => `L${layer} edits`],
    [/^finalBias$/, () => 'final bias']
];

/** The name of the group that a part is in. */
export function groupOf(part) {
    const [form, name] = NAMES.find(([form]) => form.test(part));
    return name(form.exec(part)[1]);
}

/** Whether a group has parts worth opening: others than the one that gives it its name. */
const inside = ({ part, direct, total, sources, neurons, other_neurons }) => [
    ...(neurons === undefined ? [{ name: part, direct, total, sources }] : []),
    ...(neurons ?? []).map(each => ({ name: each.neuron, direct: each.direct, coefficient: each.coefficient })),
    ...(other_neurons === undefined ? [] : [{ name: `other neurons of ${part}`, direct: other_neurons }])
];

/** The groups in their order: {name, direct, total, parts}, whose direct effects add up to the logit. */
export function groupsOf({ parts }) {
    const groups = new Map();
    for (const each of parts) {
        const name = groupOf(each.part);
        const group = groups.get(name) ?? { name, direct: 0, parts: [] };
        group.direct += each.direct;
        group.total = each.part.endsWith('.ffn') ? each.total : group.total;
        group.parts.push(...inside(each));
        groups.set(name, group);
    }
    return [...groups.values()];
}

/** Groups of a clean and an edited run beside each other, each with the sum of those before it. */
export function joinGroups(clean, edited) {
    const names = [...new Set([...clean, ...(edited ?? [])].map(each => each.name))];
    const find = (list, name) => list?.find(each => each.name === name);
    let [from, editedFrom] = [0, 0];
    return names.map(name => {
        const [first, second] = [find(clean, name), find(edited, name)];
        const row = {
            name,
            from,
            direct: first?.direct ?? 0,
            editedFrom,
            edited: second?.direct,
            total: first?.total,
            parts: (first ?? second).parts.map(each => ({ ...each, edited: find(second?.parts, each.name)?.direct }))
        };
        from += row.direct;
        editedFrom += row.edited ?? 0;
        return row;
    });
}
