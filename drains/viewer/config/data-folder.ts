/** What is where in the viewer's data folder, besides the log router's store. */

/** There while a backup is restored into the folder, and after that was interrupted. */
export const RESTORING_FILE = 'restoring';

/** Packed lines, a folder a stream. */
export const LINES_FOLDER = 'lines';
/** What a backup that is under way holds on to: on the disk of the lines. No stream has such a name. */
export const BACKUP_FOLDER = `${LINES_FOLDER}/.backup`;
