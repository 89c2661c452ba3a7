/** The Node that Epochal needs. Written so that older ones can run it, to say what is wrong. */

const oldest = [20, 19];

/** Ends the process with a sentence when this Node is too old: before anything is loaded that it cannot read. */
export function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return;
  process.stderr.write(
    `Epochal needs Node ${oldest.join('.')} or newer; this is ${process.versions.node}. ` +
      'Install a current one from https://nodejs.org, or with your version manager (nvm install 22), and start again.\n',
  );
  process.exit(1);
}
