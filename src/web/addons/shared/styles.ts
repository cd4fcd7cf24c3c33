/** The look of every page of an add-on: import it first. */
import '../../style/tokens.css';
import '../../style/page.css';
import '../../style/toolbar.css';
import '../../style/overlay.css';
import './page-frame.css';
