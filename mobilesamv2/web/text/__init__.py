"""Every sentence and number on the page, as text or HTML: `page` for all, one file for each tab."""
