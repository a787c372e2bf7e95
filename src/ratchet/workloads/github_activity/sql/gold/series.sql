{{ long_series(
    ref('repository_weeks'),
    ['commits', 'new_stars', 'issues_opened', 'prs_opened'],
    {'coverage': 'TARGET_coverage'}
) }}
