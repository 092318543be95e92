// What the charts are handed. Global, so that JSDoc can name it without an import.

/** A point of a line; null is a gap. */
interface Point {
  x: number;
  y: number | null;
}

/** A line of a chart. */
interface Series {
  label: string;
  /** a property of the style: "--series-1" */
  colour: string;
  dashed?: boolean;
  /** drawn thin and pale */
  faint?: boolean;
}

/** What a chart of lines is. */
interface LineSpec {
  title: string;
  /** what it is called in what the browser keeps, and in tests */
  key?: string;
  min?: number;
  max?: number;
  xMin?: number;
  xTitle?: string;
  xMax?: number;
  /** text of a value of the x axis; the value itself without it */
  xTick?: (value: number) => string | null;
  /** the text that stands where there is no point yet */
  wait?: string;
  /** takes more space than others in its row; the whole row */
  wide?: boolean;
  full?: boolean;
  /** classes of the legend */
  legend?: string;
  /** room above the lines, in pixels */
  top?: number;
  /** offers a logarithmic scale */
  log?: boolean;
}

/** What the keys of the keyboard move along: see keys.js. */
interface Along {
  ends: [number, number];
  unit: number;
  describe: (x: number) => string;
}
