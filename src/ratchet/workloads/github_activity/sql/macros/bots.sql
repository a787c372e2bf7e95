{#- Whether a login is a program's: GitHub Apps end in [bot]; the others are known by name. -#}
{% macro is_bot(login) -%}
    coalesce(
        {{ login }} like '%[bot]'
        or lower({{ login }}) in (
            'allcontributors', 'azure-pipelines', 'bors', 'ci-reporter', 'codecov-io', 'coveralls', 'dependabot', 'dependabot-preview',
            'dependabot-support', 'fossabot', 'github-actions', 'googlebot', 'greenkeeper', 'greenkeeperio-bot', 'houndci-bot', 'imgbot',
            'k8s-ci-robot', 'k8s-github-robot', 'mergify', 'netlify', 'openshift-bot', 'openshift-ci-robot', 'openstack-gerrit',
            'pre-commit-ci', 'pyup-bot', 'renovate-bot', 'rust-highfive', 'rust-timer', 'scala-steward', 'semantic-release-bot', 'snyk-bot',
            'stale', 'swift-ci', 'travis-ci', 'web-flow', 'whitesource-bolt'
        ),
        false
    )
{%- endmacro %}
