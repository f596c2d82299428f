/** Two transports, each the other's other end, that can be cut in the middle of a frame. */

class End {
  other = null;
  open = true;
  /** How many bytes more this end may write before both are cut. */
  left = Infinity;
  written = 0;
  ondata = () => {};
  onclose = () => {};

  write(frame) {
    if (!this.open) return;
    const bytes = frame.slice(0, this.left);
    this.left -= bytes.length;
    this.written += bytes.length;
    queueMicrotask(() => this.other.open && bytes.length && this.other.ondata(bytes));
    if (this.left === 0) queueMicrotask(() => this.cut());
  }

  /** What was written before arrives. */
  close() {
    queueMicrotask(() => this.cut());
  }

  cut() {
    for (const end of [this, this.other]) {
      if (end.open) {
        end.open = false;
        queueMicrotask(() => end.onclose('the pipe was cut'));
      }
    }
  }
}

export function pipe() {
  const ends = [new End(), new End()];
  ends[0].other = ends[1];
  ends[1].other = ends[0];
  return ends;
}
