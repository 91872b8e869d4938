/** Lanes: what happens at once lies one below the other. */

/** Give the lane of each bar: the first one that is free when it begins. Bars come in order of their begin. */
export function lanes(/** @type {{begin: number, end: number}[]} */ bars) {
  /** @type {number[]} */
  const free = [];
  return bars.map((bar) => {
    let lane = free.findIndex((end) => end <= bar.begin);
    if (lane < 0) lane = free.length;
    free[lane] = bar.end;
    return lane;
  });
}
