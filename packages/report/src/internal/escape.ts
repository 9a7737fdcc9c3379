/* What XML and HTML cannot carry (control characters but tab and line feed, lone surrogates, non-characters), and marks that turn the text around them. */
// oxlint-disable-next-line no-control-regex
const UNPRINTABLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufffe\uffff]|\p{Cs}/gu;

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Replaces what no terminal, HTML or SVG file may contain by U+FFFD. */
const cleanText = (text: string): string => text.replace(/\r\n?/g, '\n').replace(UNPRINTABLE, '\ufffd');

/** Cleaned text on one line, for cells, titles and labels. */
export const oneLine = (text: string): string => cleanText(text).replace(/\s+/g, ' ').trim();

/** Makes any text safe as HTML or SVG content and inside quoted attributes. */
export const escapeHtml = (text: string): string => cleanText(text).replace(/[&<>"']/g, (character) => ENTITIES[character]!);

/** Makes any text one literal line of Markdown (CommonMark with GitHub's tables, strike-through and math). */
export const escapeMarkdown = (text: string): string =>
  oneLine(text)
    .replace(/[\\`*_[\]<>|~&$#]/g, '\\$&')
    .replace(/^[-+=]/, '\\$&')
    .replace(/^(\d+)([.)])(?=\s|$)/, '$1\\$2');

const LATEX: Readonly<Record<string, string>> = { '\\': '\\textbackslash{}', '~': '\\textasciitilde{}', '^': '\\textasciicircum{}', '<': '\\textless{}', '>': '\\textgreater{}', '|': '\\textbar{}' };

/** Makes any text one literal line of LaTeX. A bracket at the start would be read as an option of the line break before it. */
export const escapeLatex = (text: string): string =>
  oneLine(text)
    .replace(/[\\~^<>|]|[{}$&#%_]/g, (character) => LATEX[character] ?? `\\${character}`)
    .replace(/^[[*]/, '{$&}');
