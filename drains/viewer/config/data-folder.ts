/** What is where in the viewer's data folder, besides the log router's store. */

/** Packed lines, a folder a stream. */
export const LINES_FOLDER = 'lines';
/** What a backup that is under way holds on to. */
export const BACKUP_FOLDER = 'backup';
