// Pauses between attempts while the connection is cut. They grow, and all end early when the browser has a connection
// again or the page is seen again.

const PAUSES = [500, 1500, 4000, 10000, 20000, 40000]; // milliseconds before each further attempt
const LONGEST = 60000; // milliseconds before each attempt after those

const sleepers = new Set(); // functions that end the pauses

function wake() {
  for (const end of [...sleepers]) end();
}

addEventListener("online", wake);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) wake();
});

// Ends after the pause before the attempt of this number (0, 1, ...), or earlier if there is a connection again.
// `least`: milliseconds that the server asks to wait in any case.
export function pauseBefore(attempt, least = 0) {
  if (least) return new Promise((done) => setTimeout(done, least));
  return new Promise((done) => {
    const end = () => {
      clearTimeout(timer);
      sleepers.delete(end);
      done();
    };
    const timer = setTimeout(end, PAUSES[attempt] ?? LONGEST);
    sleepers.add(end);
  });
}
