{{ long_series(ref('weekly_activity'), ['commits', 'new_stars', 'issues_opened', 'prs_opened']) }}
